// The cases of the specification that a verifier must refuse, by their numbers: bundles made with a key.
import { beforeAll, describe, it } from 'vitest'
import { formatBase64, parseBase64 } from '../../src/bytes/base64.ts'
import { concat } from '../../src/bytes/stream.ts'
import { formatEcdsaSignature, parseEcdsaSignature } from '../../src/trust/keys/ecdsa.ts'
import type { Policy } from '../../src/trust/policy/policy.ts'
import { generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import { verifyBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { refuse } from './edited-bundles.ts'
import { createKeyBundles, FOREIGN, hexOf, statementAbout } from './key-bundles.ts'
import { type Json, type Keyless, signKeyless } from './trust-fixture.ts'

let v1: Keyless
let keys: Awaited<ReturnType<typeof createKeyBundles>>
beforeAll(async () => {
  v1 = await signKeyless()
  keys = await createKeyBundles()
})

describe('a bundle made with a key is refused', () => {
  it.each<[string, () => Promise<Json>, string]>([
    [
      '37: over another type of payload',
      () => keys.bundle(statementAbout({ sha256: hexOf(FOREIGN) }), { payloadType: 'text/plain' }),
      'PAYLOAD_TYPE',
    ],
    [
      '39: without a subject',
      () => keys.bundle({ ...statementAbout({}), subject: [] }),
      'DIGEST_MISMATCH',
    ],
    [
      '39: about something else',
      () => keys.bundle(statementAbout({ sha256: '1'.repeat(64) })),
      'DIGEST_MISMATCH',
    ],
    [
      '39: with the digest under another algorithm',
      () => keys.bundle(statementAbout({ sha512: hexOf(FOREIGN) })),
      'DIGEST_MISMATCH',
    ],
    [
      '39: with two subjects of one name',
      () =>
        keys.bundle(
          JSON.stringify(statementAbout({ sha256: '1'.repeat(64) })).replace(
            '"subject":',
            `"subject":[{"digest":{"sha256":"${hexOf(FOREIGN)}"}}],"subject":`,
          ),
        ),
      'BUNDLE_MALFORMED',
    ],
    [
      '44: with another payload type than was signed',
      async () => {
        const b = await keys.bundle('x', { payloadType: 'a' })
        b.dsseEnvelope.payloadType = 'b'
        return b
      },
      'SIGNATURE_INVALID',
    ],
    [
      '45: with bytes behind its signature',
      () => withSignature((der) => concat([der, Uint8Array.of(0)])),
      'SIGNATURE_INVALID',
    ],
    [
      '45: with a negative r',
      () =>
        withSignature((der) => {
          const raw = parseEcdsaSignature(der, 32)
          const made = formatEcdsaSignature(raw)
          made[4] = 0xff
          return made
        }),
      'SIGNATURE_INVALID',
    ],
    [
      '45: with an r longer than the curve',
      () =>
        withSignature((der) => {
          const raw = parseEcdsaSignature(der, 32)
          return formatEcdsaSignature(
            concat([Uint8Array.of(1), raw.subarray(0, 32), new Uint8Array(1), raw.subarray(32)]),
          )
        }),
      'SIGNATURE_INVALID',
    ],
    [
      '46: with r ‖ s where DER belongs',
      () => withSignature((der) => parseEcdsaSignature(der, 32)),
      'SIGNATURE_INVALID',
    ],
    [
      '47: with another key',
      async () =>
        keys.bundle(statementAbout({ sha256: hexOf(FOREIGN) }), {
          key: await createKeySigner(await generateKeyPair()),
        }),
      'SIGNATURE_INVALID',
    ],
    [
      '30: without a log entry where one is asked for',
      () => keys.bundle(statementAbout({ sha256: hexOf(FOREIGN) })),
      'TLOG_MISSING',
    ],
  ])('%s', async (name, make, reason) => {
    const policy: Policy = name.startsWith('30')
      ? { key: keys.key, trustedRoot: v1.root() }
      : keys.policy()
    await refuse(verifyBundle(await make(), { digest: FOREIGN }, policy), reason)
  })

  async function withSignature(edit: (der: Uint8Array) => Uint8Array): Promise<Json> {
    const bundle = await keys.bundle(statementAbout({ sha256: hexOf(FOREIGN) }))
    const [signature] = bundle.dsseEnvelope.signatures
    signature.sig = formatBase64(edit(parseBase64(signature.sig)!))
    return bundle
  }

  it('by a policy for certificates, and one with a certificate by a policy for keys', async () => {
    const bundle = await keys.bundle(statementAbout({ sha256: hexOf(FOREIGN) }))
    await refuse(
      verifyBundle(bundle, { digest: FOREIGN }, { ...v1.policy(), requireTransparencyLog: false }),
      'KEY_MISMATCH',
    )
    await refuse(
      verifyBundle(
        v1.bundle(),
        { digest: v1.artifact.digest },
        { key: keys.key, trustedRoot: v1.root() },
      ),
      'KEY_MISMATCH',
    )
  })
})
