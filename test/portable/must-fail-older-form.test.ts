// The cases of the older form that must be refused, by their numbers: what is in a layer's annotations.
import { beforeAll, describe, expect, it } from 'vitest'
import { createSigstoreInstance, type SigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { parseManifest } from '../../src/oci/manifest.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { readContent } from '../../src/store/read-content.ts'
import { verifyLegacySignature } from '../../src/trust/cosign/legacy-signature.ts'
import {
  CERTIFICATE_KEY,
  LOG_KEY,
  SIGNATURE_KEY,
  TIMESTAMP_KEY,
} from '../../src/trust/wire/media-types.ts'
import { type LoadedRule, loadPolicy } from '../../src/trust/policy/load-policy.ts'
import type { IdentityPolicy } from '../../src/trust/policy/policy.ts'
import type { VerifiedBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { sign } from '../../src/verbs/sign.ts'
import type { Descriptor } from '../../src/types.ts'
import { createArtifact, IDENTITY, ISSUER, type Json, keylessSigner } from './trust-fixture.ts'

interface Signed {
  readonly artifact: Descriptor
  readonly payload: Uint8Array
  readonly annotations: Readonly<Record<string, string>>
}

let sigstore: SigstoreInstance
let signed: Signed
let other: Signed
beforeAll(async () => {
  sigstore = await createSigstoreInstance()
  signed = await signOlder('hello')
  other = await signOlder('other')
})

async function signOlder(note: string): Promise<Signed> {
  const store = createMemoryStore()
  const artifact = await createArtifact(store, note)
  const how = { attach: 'tag', reference: 'registry.test/app' } as const
  await sign({ store, ref: artifact.digest }, keylessSigner(sigstore), how)
  const tag = await store.resolve(`${artifact.digest.replace(':', '-')}.sig`)
  const manifest = parseManifest(await readContent(store, tag, {}))
  const [layer] = (manifest as { layers: readonly Descriptor[] }).layers
  return {
    artifact,
    payload: await readContent(store, layer!, {}),
    annotations: layer!.annotations!,
  }
}

async function verify(
  annotations: Readonly<Record<string, string>>,
  more: Partial<IdentityPolicy> = {},
): Promise<VerifiedBundle> {
  const who = { identity: IDENTITY, issuer: ISSUER, trustedRoot: sigstore.trustedRoot() }
  const rule = (await loadPolicy({ ...who, ...more })) as LoadedRule
  // Awaited here: workerd reports what rejects before it is waited for.
  return await verifyLegacySignature(signed.payload, annotations, signed.artifact.digest, rule)
}

type Edit = (annotations: Record<string, string>) => unknown
const inLog =
  (edit: (log: Json) => unknown): Edit =>
  (annotations) => {
    const log = JSON.parse(annotations[LOG_KEY]!)
    edit(log)
    annotations[LOG_KEY] = JSON.stringify(log)
  }

it('the signature that the cases start from holds', async () => {
  expect(await verify(signed.annotations)).toMatchObject({ format: 'legacy' })
})

describe('a signature of the older form is refused', () => {
  it.each<[string, Edit, string]>([
    [
      '17: with a truncated signature annotation',
      (a) => (a[SIGNATURE_KEY] = a[SIGNATURE_KEY]!.slice(0, 21)),
      'BUNDLE_MALFORMED',
    ],
    [
      '17: with a signature annotation that is no base64',
      (a) => (a[SIGNATURE_KEY] = `*${a[SIGNATURE_KEY]!.slice(1)}`),
      'BUNDLE_MALFORMED',
    ],
    ['18: without the signature annotation', (a) => delete a[SIGNATURE_KEY], 'BUNDLE_MALFORMED'],
    ['18: with an empty signature annotation', (a) => (a[SIGNATURE_KEY] = ''), 'BUNDLE_MALFORMED'],
    [
      '19: with the log bundle of another payload',
      (a) => (a[LOG_KEY] = other.annotations[LOG_KEY]!),
      'TLOG_ENTRY_MISMATCH',
    ],
    [
      '22: with the signed entry timestamp of another entry',
      inLog(
        (log) =>
          (log.SignedEntryTimestamp = JSON.parse(other.annotations[LOG_KEY]!).SignedEntryTimestamp),
      ),
      'TLOG_SET_INVALID',
    ],
    ['23: with an altered time', inLog((log) => log.Payload.integratedTime++), 'TLOG_SET_INVALID'],
    ['24: with an altered log index', inLog((log) => log.Payload.logIndex++), 'TLOG_SET_INVALID'],
    [
      '25: with a body that is no string',
      inLog((log) => (log.Payload.body = { kind: 'hashedrekord' })),
      'BUNDLE_MALFORMED',
    ],
    [
      '26: with an unknown log',
      inLog((log) => (log.Payload.logID = '00'.repeat(32))),
      'TLOG_UNKNOWN_LOG',
    ],
    ['30: without a log bundle', (a) => delete a[LOG_KEY], 'TLOG_MISSING'],
    [
      '59: with the certificate of another signature',
      (a) => (a[CERTIFICATE_KEY] = other.annotations[CERTIFICATE_KEY]!),
      'TLOG_ENTRY_MISMATCH',
    ],
    [
      '73: with the timestamp of another signature',
      (a) => (a[TIMESTAMP_KEY] = other.annotations[TIMESTAMP_KEY]!),
      'TIMESTAMP_INVALID',
    ],
  ])('%s', async (_, edit, reason) => {
    const annotations = { ...signed.annotations }
    edit(annotations)
    await expect(verify(annotations)).rejects.toMatchObject({ reason })
  })

  it('29: by a certificate without signed entry timestamp and timestamp', async () => {
    const { [LOG_KEY]: _, [TIMESTAMP_KEY]: __, ...annotations } = signed.annotations
    await expect(verify(annotations, { requireTransparencyLog: false })).rejects.toMatchObject({
      reason: 'TIMESTAMP_MISSING',
    })
  })
})
