// Signatures that cosign made, as containers/image keeps them: one header line, then JSON.
import { describe, expect, it } from 'vitest'
import { formatBase64, parseBase64 } from '../../src/bytes/base64.ts'
import { digestOf, rawDigestOf } from '../../src/bytes/digest.ts'
import { parsePem } from '../../src/bytes/pem.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { parseCertificate } from '../../src/trust/x509/certificate.ts'
import { verifyLegacySignature } from '../../src/trust/cosign/legacy-signature.ts'
import { type LoadedRule, loadPolicy } from '../../src/trust/policy/load-policy.ts'
import type { Policy } from '../../src/trust/policy/policy.ts'
import { publicGoodRoot } from '../../src/trust/root/trust-root.ts'
import type { VerifiedBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { cosignImages, VECTORS_MISSING } from './sigstore-vectors.ts'

interface Stored {
  readonly mimeType: string
  readonly payload: string
  readonly annotations: Record<string, string>
}

const root = cosignImages.get('')!

/** Where the original has a symbolic link, the copy has its target as text. */
function read(image: string, file: string): string {
  const text = cosignImages.get(`dir-img-cosign-${image}`)!.get(file)!
  const [, target, name] = /^\.\.\/dir-img-cosign-([^/]+)\/(.+)$/.exec(text) ?? []
  return target === undefined ? text : read(target, name!)
}

function stored(image: string, file = 'signature-1'): Stored {
  const text = read(image, file)
  return JSON.parse(text.slice(text.indexOf('\n') + 1)) as Stored
}

async function verify(
  image: string,
  policy: Policy,
  edit: (signature: Stored) => Stored = (same) => same,
  file?: string,
): Promise<VerifiedBundle> {
  const signature = edit(stored(image, file))
  const manifest = read(image, 'manifest.json')
  return await verifyLegacySignature(
    parseBase64(signature.payload)!,
    signature.annotations,
    await digestOf(encodeUtf8(manifest)),
    (await loadPolicy(policy)) as LoadedRule,
  )
}

/** A trusted root around one Rekor key, and one Fulcio certificate if there is one. */
async function privateRoot(rekorPem: string, fulcioPem?: string): Promise<object> {
  const spki = parsePem(rekorPem, 'rekor.pub')[0]!.bytes
  const validFor = { start: '2020-01-01T00:00:00Z' }
  const log = {
    baseUrl: 'https://rekor.example',
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: formatBase64(spki), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
    logId: { keyId: formatBase64(await rawDigestOf(spki)) },
  }
  const certificates =
    fulcioPem === undefined
      ? []
      : parsePem(fulcioPem, 'fulcio').map(({ bytes }) => ({ rawBytes: formatBase64(bytes) }))
  return {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [log],
    certificateAuthorities:
      certificates.length === 0
        ? []
        : [{ uri: 'https://fulcio.example', certChain: { certificates }, validFor }],
    ctlogs: (publicGoodRoot as { ctlogs: unknown[] }).ctlogs,
    timestampAuthorities: [],
  }
}

describe('images signed with cosign', () => {
  if (root === undefined) {
    it('are there', (context) => context.skip(VECTORS_MISSING))
    return
  }
  const key = root.get('cosign.pub')!
  const offline = { requireTransparencyLog: false } as const

  it.each(['valid', 'valid-with-tag'])('%s: holds with its key', async (image) => {
    expect(await verify(image, { key, ...offline })).toMatchObject({
      format: 'legacy',
      signer: { kind: 'key' },
      times: [],
      logEntries: [],
    })
  })

  it.each(['signature-1', 'signature-2'])('valid-2: %s holds with the key', async (file) => {
    expect((await verify('valid-2', { key, ...offline }, undefined, file)).signer.kind).toBe('key')
  })

  it('key-rekor-valid: holds with its key and its log', async () => {
    const policy = {
      key: root.get('cosign2.pub')!,
      trustedRoot: await privateRoot(root.get('rekor.pub')!),
    }
    expect(await verify('key-rekor-valid', policy)).toMatchObject({
      logEntries: [{ kind: 'hashedrekord/0.0.1' }],
      times: [{ source: 'log' }],
    })
  })

  it('fulcio-rekor-valid: holds with its identity, log and authority', async () => {
    const trustedRoot = await privateRoot(root.get('rekor.pub')!, root.get('fulcio_v1.crt.pem')!)
    const policy = { identity: 'mitr@redhat.com', issuer: /https:\/\/.*/, trustedRoot }
    expect((await verify('fulcio-rekor-valid', policy)).signer).toMatchObject({
      identity: 'mitr@redhat.com',
      identityType: 'email',
    })
  })

  it('pki-valid: holds with its certificate’s key', async () => {
    const certificate = parseCertificate(
      parsePem(stored('pki-valid').annotations['dev.sigstore.cosign/certificate']!, 'it')[0]!.bytes,
    )
    expect((await verify('pki-valid', { key: certificate.spki, ...offline })).signer.kind).toBe(
      'key',
    )
  })

  it('mixed: the signature with the key holds', async () => {
    expect((await verify('mixed', { key, ...offline }, undefined, 'signature-2')).signer.kind).toBe(
      'key',
    )
  })

  it.each([
    ['modified-manifest', 'DIGEST_MISMATCH'],
    ['manifest-digest-error', 'DIGEST_MISMATCH'],
    ['other-attachment', 'SIGNATURE_INVALID'],
  ])('%s: is refused', async (image, reason) => {
    await expect(verify(image, { key, ...offline })).rejects.toMatchObject({ reason })
  })

  describe('are refused', () => {
    const LOG = 'dev.sigstore.cosign/bundle'
    const edited = (edit: (annotations: Record<string, string>) => void) => (signature: Stored) => {
      const copy = structuredClone(signature)
      edit(copy.annotations)
      return copy
    }
    const inLog = (
      edit: (log: { SignedEntryTimestamp: string; Payload: Record<string, unknown> }) => void,
    ) =>
      edited((annotations) => {
        const log = JSON.parse(annotations[LOG]!) as Parameters<typeof edit>[0]
        edit(log)
        annotations[LOG] = JSON.stringify(log)
      })

    it.each<[string, (signature: Stored) => Stored, string]>([
      [
        '17: with a truncated signature annotation',
        edited(
          (a) =>
            (a['dev.cosignproject.cosign/signature'] = a[
              'dev.cosignproject.cosign/signature'
            ]!.slice(0, 21)),
        ),
        'BUNDLE_MALFORMED',
      ],
      [
        '18: without the signature annotation',
        edited((a) => delete a['dev.cosignproject.cosign/signature']),
        'BUNDLE_MALFORMED',
      ],
      [
        '19: with the log bundle of another payload',
        edited((a) => (a[LOG] = stored('fulcio-rekor-valid').annotations[LOG]!)),
        'TLOG_ENTRY_MISMATCH',
      ],
      [
        '22: with an altered signed entry timestamp',
        inLog((log) => (log.SignedEntryTimestamp = `MEQ${log.SignedEntryTimestamp.slice(3)}`)),
        'TLOG_SET_INVALID',
      ],
      [
        '23: with an altered time',
        inLog(({ Payload }) => (Payload['integratedTime'] = Number(Payload['integratedTime']) + 1)),
        'TLOG_SET_INVALID',
      ],
      [
        '24: with an altered log index',
        inLog(({ Payload }) => (Payload['logIndex'] = Number(Payload['logIndex']) + 1)),
        'TLOG_SET_INVALID',
      ],
      [
        '25: with a body that is no string',
        inLog(({ Payload }) => (Payload['body'] = { kind: 'hashedrekord' })),
        'BUNDLE_MALFORMED',
      ],
      [
        '26: with an unknown log',
        inLog(({ Payload }) => (Payload['logID'] = '00'.repeat(32))),
        'TLOG_UNKNOWN_LOG',
      ],
      ['30: without a log entry', edited((a) => delete a[LOG]), 'TLOG_MISSING'],
    ])('%s', async (_, edit, reason) => {
      const policy = {
        key: root.get('cosign2.pub')!,
        trustedRoot: await privateRoot(root.get('rekor.pub')!),
      }
      const verdict = verify('key-rekor-valid', policy, edit)
      await expect(verdict).rejects.toMatchObject({ reason })
    })

    it('29: a certificate without signed entry timestamp and timestamp', async () => {
      const policy: Policy = {
        identity: 'mitr@redhat.com',
        issuer: /https:\/\/.*/,
        trustedRoot: await privateRoot(root.get('rekor.pub')!, root.get('fulcio_v1.crt.pem')!),
        requireTransparencyLog: false,
      }
      const verdict = verify(
        'fulcio-rekor-valid',
        policy,
        edited((a) => delete a[LOG]),
      )
      await expect(verdict).rejects.toMatchObject({ reason: 'TIMESTAMP_MISSING' })
    })
  })
})
