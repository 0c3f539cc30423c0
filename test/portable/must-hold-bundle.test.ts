// What a verifier must not refuse beside all that it must: see the files called must-fail.
import { beforeAll, describe, expect, it } from 'vitest'
import { createSigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { WITNESS_LINE } from '../../mocks/sigstore/merkle-log.ts'
import { formatBase64, parseBase64 } from '../../src/bytes/base64.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import { formatEcdsaSignature, parseEcdsaSignature } from '../../src/trust/keys/ecdsa.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { verifyBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { entry } from './edited-bundles.ts'
import { createKeyBundles, FOREIGN, hexOf, statementAbout } from './key-bundles.ts'
import { type Json, type Keyless, signKeyless } from './trust-fixture.ts'

let v1: Keyless
let v2: Keyless
let keys: Awaited<ReturnType<typeof createKeyBundles>>
beforeAll(async () => {
  v1 = await signKeyless()
  v2 = await signKeyless({ version: 2 })
  keys = await createKeyBundles()
})

describe('the bundles that the cases start from', () => {
  it('hold', async () => {
    for (const made of [v1, v2])
      await verifyBundle(made.bundle(), { digest: made.artifact.digest }, made.policy())
    await verifyBundle(
      await keys.bundle(statementAbout({ sha256: hexOf(FOREIGN) })),
      { digest: FOREIGN },
      keys.policy(),
    )
  })
})

describe('must hold besides', () => {
  it('a signature whose time is the last moment of every range', async () => {
    const at = new Date(Math.floor(Date.now() / 1000) * 1000)
    const made = await signKeyless({ clock: () => at })
    const trustedRoot = made.root()
    for (const log of [...trustedRoot.tlogs, ...trustedRoot.ctlogs])
      log.publicKey.validFor.end = at.toISOString()
    for (const authority of [
      ...trustedRoot.certificateAuthorities,
      ...trustedRoot.timestampAuthorities,
    ])
      authority.validFor.end = at.toISOString()
    await verifyBundle(
      made.bundle(),
      { digest: made.artifact.digest },
      made.policy({ trustedRoot }),
    )
  })

  it('a signature under an authority and a log that were replaced since', async () => {
    const [old, replacement] = [v1, (await createSigstoreInstance()).trustedRoot()]
    const trustedRoot = old.root()
    const ended = new Date(Date.now() + 60_000).toISOString()
    trustedRoot.certificateAuthorities[0]!.validFor.end = ended
    trustedRoot.tlogs[0]!.publicKey.validFor.end = ended
    trustedRoot.certificateAuthorities.unshift(...replacement.certificateAuthorities)
    trustedRoot.tlogs.unshift(...replacement.tlogs)
    await verifyBundle(old.bundle(), { digest: old.artifact.digest }, old.policy({ trustedRoot }))
  })

  it('a signature under a trusted root with another log, whose key nobody here can use', async () => {
    const trustedRoot: Json = v1.root()
    const unusable = structuredClone(trustedRoot.tlogs[0])
    unusable.publicKey.rawBytes = 'MAkwBAYCKgMDAQA='
    unusable.logId.keyId = formatBase64(new Uint8Array(32))
    trustedRoot.tlogs.unshift(unusable)
    await verifyBundle(v1.bundle(), { digest: v1.artifact.digest }, v1.policy({ trustedRoot }))
  })

  it('a checkpoint of a log that answers at a port: its name has none', async () => {
    for (const made of [v1, v2]) {
      const trustedRoot = made.root()
      for (const log of trustedRoot.tlogs) log.baseUrl += ':8443'
      const policy = made.policy({ trustedRoot })
      await verifyBundle(made.bundle(), { digest: made.artifact.digest }, policy)
    }
  })

  it('a timestamp by any certificate of an authority that names none', async () => {
    const trustedRoot = v1.root()
    trustedRoot.timestampAuthorities[0]!.certChain.certificates.shift()
    await verifyBundle(v1.bundle(), { digest: v1.artifact.digest }, v1.policy({ trustedRoot }))
  })

  it('a certificate whose log wrote extensions, and one with a second log that nobody knows', async () => {
    for (const scts of ['static', 'two'] as const) {
      const made = await signKeyless({ flaws: { certificate: { scts } } })
      await verifyBundle(made.bundle(), { digest: made.artifact.digest }, made.policy())
    }
  })

  it.each<[string, (note: string) => string]>([
    ['before', (note) => note.replace('\n\n', `\n\n${WITNESS_LINE}`)],
    ['behind', (note) => `${note}${WITNESS_LINE}`],
    ['on both sides of', (note) => `${note.replace('\n\n', `\n\n${WITNESS_LINE}`)}${WITNESS_LINE}`],
  ])('a checkpoint with other signatures %s the log’s', async (_, edit) => {
    for (const made of [v1, v2]) {
      const bundle = made.bundle()
      const { checkpoint } = entry(bundle).inclusionProof
      checkpoint.envelope = edit(checkpoint.envelope as string)
      await verifyBundle(bundle, { digest: made.artifact.digest }, made.policy())
    }
  })

  it('a signature with a high s', async () => {
    // s → n − s is as valid; Go accepts it, so it must not tell signers apart.
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
    const bundle = await keys.bundle(statementAbout({ sha256: hexOf(FOREIGN) }))
    const raw = parseEcdsaSignature(parseBase64(bundle.dsseEnvelope.signatures[0].sig)!, 32)
    const s = BigInt(
      `0x${Array.from(raw.subarray(32), (byte) => byte.toString(16).padStart(2, '0')).join('')}`,
    )
    const negated = (order - s).toString(16).padStart(64, '0')
    raw.set(
      Uint8Array.from({ length: 32 }, (_, i) =>
        Number.parseInt(negated.slice(2 * i, 2 * i + 2), 16),
      ),
      32,
    )
    bundle.dsseEnvelope.signatures[0].sig = formatBase64(formatEcdsaSignature(raw))
    await verifyBundle(bundle, { digest: FOREIGN }, keys.policy())
  })

  it('a statement without a predicate', async () => {
    const { predicate: _, ...statement } = statementAbout({ sha256: hexOf(FOREIGN) }) as {
      predicate: object
    }
    await verifyBundle(await keys.bundle(statement), { digest: FOREIGN }, keys.policy())
  })

  it('a signature by one of several keys, another of which nobody here can use', async () => {
    const bundle = await keys.bundle(statementAbout({ sha256: hexOf(FOREIGN) }))
    const unusable = (await createKeyBundles()).signer.publicKey.slice()
    // A point that is on no curve: engines find out when they import it.
    unusable.fill(1, -64)
    for (const key of [
      [keys.key, unusable],
      [unusable, keys.key],
    ])
      await verifyBundle(bundle, { digest: FOREIGN }, { key, requireTransparencyLog: false })
    await expect(
      verifyBundle(bundle, { digest: FOREIGN }, { key: unusable, requireTransparencyLog: false }),
    ).rejects.toThrow(/the public key is not a valid ECDSA key/)
  })

  it('a signature by the second of several keys', async () => {
    const first = await formatPublicKey((await generateKeyPair()).publicKey)
    const { signer: by } = await verifyBundle(
      await keys.bundle(statementAbout({ sha256: hexOf(FOREIGN) })),
      { digest: FOREIGN },
      { key: [first, keys.key], requireTransparencyLog: false },
    )
    expect(by).toEqual({
      kind: 'key',
      keyId: Array.from(await rawDigestOf(keys.signer.publicKey), (byte) =>
        byte.toString(16).padStart(2, '0'),
      ).join(''),
    })
  })
})
