// The cases of the specification that a verifier must refuse, by their numbers: bundles, crypto, log, time, trusted root.
import { beforeAll, describe, expect, it } from 'vitest'
import { createSigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { WITNESS_LINE } from '../../mocks/sigstore/merkle-log.ts'
import { createTimestampAuthority } from '../../mocks/sigstore/timestamp-authority.ts'
import { formatBase64, parseBase64 } from '../../src/bytes/base64.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import { concat } from '../../src/bytes/stream.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { preAuthEncoding } from '../../src/trust/dsse.ts'
import { formatEcdsaSignature, parseEcdsaSignature } from '../../src/trust/ecdsa.ts'
import { leafHash } from '../../src/trust/merkle.ts'
import type { Policy } from '../../src/trust/policy.ts'
import { formatPublicKey, generateKeyPair, type WebKeyPair } from '../../src/trust/private-key.ts'
import { createKeySigner, signChecked, type Signer } from '../../src/trust/signer.ts'
import { verifyBundle } from '../../src/trust/verify-bundle.ts'
import type { Digest } from '../../src/types.ts'
import { type Json, type Keyless, signKeyless } from './trust-fixture.ts'

let v1: Keyless
let v2: Keyless
let pair: WebKeyPair
let signer: Signer
let key: string
const FOREIGN: Digest = `sha256:${'0'.repeat(64)}`
const flip = (text: string, at = 20): string => {
  const bytes = parseBase64(text)!
  bytes[at] = bytes[at]! ^ 1
  return formatBase64(bytes)
}

beforeAll(async () => {
  v1 = await signKeyless()
  v2 = await signKeyless({ version: 2 })
  pair = await generateKeyPair()
  signer = await createKeySigner(pair)
  key = await formatPublicKey(pair.publicKey)
})

/** A bundle made with a key over any payload: what is under the signature may be as wrong as wanted. */
async function keyed(
  statement: unknown,
  options: { payloadType?: string; key?: Signer } = {},
): Promise<Json> {
  const { payloadType = 'application/vnd.in-toto+json' } = options
  const payload =
    typeof statement === 'string' ? encodeUtf8(statement) : encodeUtf8(JSON.stringify(statement))
  const sig = await signChecked(options.key ?? signer, preAuthEncoding(payloadType, payload))
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'x' } },
    dsseEnvelope: {
      payload: formatBase64(payload),
      payloadType,
      signatures: [{ sig: formatBase64(sig) }],
    },
  }
}
const statementAbout = (digest: object): object => ({
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ digest }],
  predicateType: 'https://sigstore.dev/cosign/sign/v1',
  predicate: {},
})
const offline = (): Policy => ({ key, requireTransparencyLog: false })
const hexOf = (digest: Digest): string => digest.slice(7)

async function refuse(verdict: Promise<unknown>, reason: string): Promise<void> {
  await expect(verdict).rejects.toMatchObject({ reason })
}

describe('the bundles that the cases start from', () => {
  it('hold', async () => {
    for (const made of [v1, v2])
      await verifyBundle(made.bundle(), { digest: made.artifact.digest }, made.policy())
    await verifyBundle(
      await keyed(statementAbout({ sha256: hexOf(FOREIGN) })),
      { digest: FOREIGN },
      offline(),
    )
  })
})

type Edit = (bundle: Json) => unknown
const entry = (bundle: Json): Json => bundle.verificationMaterial.tlogEntries[0]

describe('a bundle is refused', () => {
  it.each<[string, Edit, string]>([
    [
      '32: of an unknown version',
      (b) => (b.mediaType = 'application/vnd.dev.sigstore.bundle.v0.4+json'),
      'BUNDLE_UNSUPPORTED_VERSION',
    ],
    [
      '33: of version 0.3 with a certificate chain',
      ({ verificationMaterial: m }) => (
        (m.x509CertificateChain = { certificates: [m.certificate] }),
        delete m.certificate
      ),
      'BUNDLE_MALFORMED',
    ],
    [
      '35: with both kinds of content',
      (b) =>
        (b.messageSignature = {
          signature: 'AA==',
          messageDigest: { algorithm: 'SHA2_256', digest: 'AA==' },
        }),
      'BUNDLE_MALFORMED',
    ],
    ['35: with no content', (b) => delete b.dsseEnvelope, 'BUNDLE_MALFORMED'],
    [
      '35: with a key and a certificate',
      (b) => (b.verificationMaterial.publicKey = { hint: 'x' }),
      'BUNDLE_MALFORMED',
    ],
    ['36: with no envelope signature', (b) => (b.dsseEnvelope.signatures = []), 'BUNDLE_MALFORMED'],
    [
      '36: with two envelope signatures',
      (b) => b.dsseEnvelope.signatures.push(b.dsseEnvelope.signatures[0]),
      'BUNDLE_MALFORMED',
    ],
    ['40: with a negative integer', (b) => (entry(b).logIndex = '-1'), 'BUNDLE_MALFORMED'],
    ['40: with a fraction', (b) => (entry(b).integratedTime = 1.5), 'BUNDLE_MALFORMED'],
    ['40: with an exponent', (b) => (entry(b).logIndex = '1e3'), 'BUNDLE_MALFORMED'],
    [
      '40: with an integer that has no exact number',
      (b) => (entry(b).logIndex = '9007199254740993'),
      'BUNDLE_MALFORMED',
    ],
    ['41: with damaged base64', (b) => (b.dsseEnvelope.payload += '*'), 'BUNDLE_MALFORMED'],
    [
      '42: with one log entry twice',
      (b) => b.verificationMaterial.tlogEntries.push(entry(b)),
      'BUNDLE_MALFORMED',
    ],
    [
      '43: with more than 32 log entries',
      (b) => (b.verificationMaterial.tlogEntries = Array.from({ length: 33 }, () => entry(b))),
      'BUNDLE_MALFORMED',
    ],
    [
      '44: with a flipped bit in the payload',
      (b) => (b.dsseEnvelope.payload = flip(b.dsseEnvelope.payload)),
      'TLOG_ENTRY_MISMATCH',
    ],
    [
      '44: with a flipped bit in the signature',
      (b) => (b.dsseEnvelope.signatures[0].sig = flip(b.dsseEnvelope.signatures[0].sig)),
      'TLOG_ENTRY_MISMATCH',
    ],
    [
      '45: with bytes behind its signature',
      (b) =>
        (b.dsseEnvelope.signatures[0].sig = formatBase64(
          concat([parseBase64(b.dsseEnvelope.signatures[0].sig)!, Uint8Array.of(0)]),
        )),
      'TLOG_ENTRY_MISMATCH',
    ],
    ['49: without an inclusion proof', (b) => delete entry(b).inclusionProof, 'TLOG_PROOF_INVALID'],
    [
      '50: with a proof without a checkpoint',
      (b) => delete entry(b).inclusionProof.checkpoint,
      'TLOG_CHECKPOINT_INVALID',
    ],
    [
      '53: with a wrong hash in its proof',
      (b) => (entry(b).inclusionProof.hashes[0] = flip(entry(b).inclusionProof.hashes[0])),
      'TLOG_PROOF_INVALID',
    ],
    ['53: with a hash missing', (b) => entry(b).inclusionProof.hashes.pop(), 'TLOG_PROOF_INVALID'],
    [
      '53: with a hash too many',
      (b) => entry(b).inclusionProof.hashes.push(entry(b).inclusionProof.hashes[0]),
      'TLOG_PROOF_INVALID',
    ],
    [
      '54: with an index outside its tree',
      (b) => (entry(b).inclusionProof.logIndex = entry(b).inclusionProof.treeSize),
      'TLOG_PROOF_INVALID',
    ],
    [
      '54: with another index',
      (b) => (entry(b).inclusionProof.logIndex = '0'),
      'TLOG_PROOF_INVALID',
    ],
    [
      '55: with another root than its checkpoint',
      (b) => (entry(b).inclusionProof.rootHash = flip(entry(b).inclusionProof.rootHash)),
      'TLOG_CHECKPOINT_INVALID',
    ],
    [
      '57: with another kind than its entry',
      (b) => (entry(b).kindVersion.kind = 'intoto'),
      'TLOG_ENTRY_MISMATCH',
    ],
    [
      '57: with another version than its entry',
      (b) => (entry(b).kindVersion.version = '0.0.2'),
      'TLOG_ENTRY_MISMATCH',
    ],
    [
      '22: with an altered signed entry timestamp',
      (b) =>
        (entry(b).inclusionPromise.signedEntryTimestamp = flip(
          entry(b).inclusionPromise.signedEntryTimestamp,
        )),
      'TLOG_SET_INVALID',
    ],
    [
      '23: with another time than was promised',
      (b) => (entry(b).integratedTime = String(Number(entry(b).integratedTime) + 1)),
      'TLOG_SET_INVALID',
    ],
    [
      '73: with a timestamp over other data',
      (b) =>
        (b.verificationMaterial.timestampVerificationData =
          v2.bundle().verificationMaterial.timestampVerificationData),
      'TIMESTAMP_INVALID',
    ],
    ['30: without any log entry', (b) => delete b.verificationMaterial.tlogEntries, 'TLOG_MISSING'],
  ])('%s', async (_, edit, reason) => {
    const bundle = v1.bundle()
    edit(bundle)
    await refuse(verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()), reason)
  })

  it('52: whose only time is one that nobody promised', async () => {
    const bundle = v1.bundle()
    delete entry(bundle).inclusionPromise
    delete bundle.verificationMaterial.timestampVerificationData
    await refuse(
      verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()),
      'TIMESTAMP_MISSING',
    )
  })

  it('61: of a log of version 2 without a timestamp', async () => {
    const bundle = v2.bundle()
    delete bundle.verificationMaterial.timestampVerificationData
    await refuse(
      verifyBundle(bundle, { digest: v2.artifact.digest }, v2.policy()),
      'TIMESTAMP_MISSING',
    )
  })

  it('34: that brings a root certificate along', async () => {
    const bundle = v1.bundle()
    bundle.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.2'
    const root = v1.root().certificateAuthorities[0]!.certChain.certificates[1]
    bundle.verificationMaterial.x509CertificateChain = {
      certificates: [bundle.verificationMaterial.certificate, root],
    }
    delete bundle.verificationMaterial.certificate
    await refuse(verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()), 'CERT_CHAIN')
  })

  it('51: with an invented tree of one leaf', async () => {
    const bundle = v1.bundle()
    const root = formatBase64(await leafHash(parseBase64(entry(bundle).canonicalizedBody)!))
    const [, ...signatures] = (entry(bundle).inclusionProof.checkpoint.envelope as string).split(
      '\n\n',
    )
    const envelope = `rekor.sigstore.test - 1\n1\n${root}\n\n${signatures.join('')}`
    entry(bundle).inclusionProof = {
      logIndex: '0',
      treeSize: '1',
      rootHash: root,
      hashes: [],
      checkpoint: { envelope },
    }
    await refuse(
      verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()),
      'TLOG_CHECKPOINT_INVALID',
    )
  })

  it.each<[string, (note: string) => string]>([
    ['55: of another log’s host', (note) => note.replace(/^[^ ]+/, 'rekor.example')],
    ['55: with another size', (note) => note.replace(/\n(\d+)\n/, '\n9\n')],
    [
      '55: with another root',
      (note) => note.replace(/\n[A-Za-z0-9+/=]{44}\n/, `\n${formatBase64(new Uint8Array(32))}\n`),
    ],
    ['55: without an origin', (note) => note.slice(note.indexOf('\n') + 1)],
    ['55: without a size', (note) => note.replace(/\n\d+\n/, '\n')],
    ['55: without a root', (note) => note.replace(/\n[A-Za-z0-9+/=]{44}\n/, '\n')],
    ['55: without a signature', (note) => note.slice(0, note.indexOf('\n\n') + 2)],
    [
      '55: with another key id',
      (note) =>
        note.replace(
          /(rekor\.sigstore\.test )([A-Za-z0-9+/=]+)\n$/,
          (_, name: string, line: string) => `${name}${flip(line, 0)}\n`,
        ),
    ],
    [
      '55: with a bad signature',
      (note) =>
        note.replace(
          /(rekor\.sigstore\.test )([A-Za-z0-9+/=]+)\n$/,
          (_, name: string, line: string) => `${name}${flip(line, 30)}\n`,
        ),
    ],
    [
      '56: that only a witness signed',
      (note) => note.replace(/\u2014 rekor[^\n]+\n$/, WITNESS_LINE),
    ],
    [
      '55: whose signature is under another name',
      (note) => note.replace('\u2014 rekor.sigstore.test', '\u2014 rekor.example'),
    ],
  ])('with a checkpoint %s', async (_, edit) => {
    const bundle = v1.bundle()
    const { checkpoint } = entry(bundle).inclusionProof
    const edited = edit(checkpoint.envelope as string)
    expect(edited).not.toBe(checkpoint.envelope)
    checkpoint.envelope = edited
    await refuse(
      verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()),
      'TLOG_CHECKPOINT_INVALID',
    )
  })

  it.each([true, false])(
    '74: with a timestamp by who calls himself the authority, whose certificate is inside: %s',
    async (certificates) => {
      // Of the same name and serial number, and as good but for who signed it.
      const forger = await createTimestampAuthority({ clock: () => new Date(), flaws: () => ({}) })
      const bundle = v1.bundle()
      const signature = parseBase64(bundle.dsseEnvelope.signatures[0].sig)!
      const [stamped] = bundle.verificationMaterial.timestampVerificationData.rfc3161Timestamps
      stamped.signedTimestamp = formatBase64(
        await forger.stamp(await rawDigestOf(signature), { certificates }),
      )
      await refuse(
        verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()),
        'TIMESTAMP_INVALID',
      )
    },
  )

  it.each<[string, (root: Json) => unknown, string]>([
    ['26: without its log', (r) => (r.tlogs = r.tlogs.slice(1)), 'TLOG_UNKNOWN_LOG'],
    [
      '60: whose log was trusted until before',
      (r) =>
        (r.tlogs[0].publicKey.validFor = {
          start: '2020-01-01T00:00:00Z',
          end: '2021-01-01T00:00:00Z',
        }),
      'TLOG_SET_INVALID',
    ],
    [
      '62: with a foreign certificate authority',
      (r) => (r.certificateAuthorities = other.certificateAuthorities),
      'CERT_CHAIN',
    ],
    ['62: with none', (r) => (r.certificateAuthorities = []), 'CERT_CHAIN'],
    [
      '63: whose authority was trusted until before',
      (r) => (r.certificateAuthorities[0].validFor.end = '2021-01-01T00:00:00Z'),
      'CERT_TIME',
    ],
    ['69: without the certificate’s log', (r) => (r.ctlogs = []), 'SCT_INVALID'],
    [
      '69: whose certificate log was trusted until before',
      (r) => (r.ctlogs[0].publicKey.validFor.end = '2021-01-01T00:00:00Z'),
      'SCT_INVALID',
    ],
    [
      '74: with a foreign timestamp authority',
      (r) => (r.timestampAuthorities = other.timestampAuthorities),
      'TIMESTAMP_INVALID',
    ],
    [
      '75: whose timestamp authority was trusted until before',
      (r) => (r.timestampAuthorities[0].validFor.end = '2021-01-01T00:00:00Z'),
      'TIMESTAMP_INVALID',
    ],
    [
      '79: with a log that has no start',
      (r) => delete r.tlogs[0].publicKey.validFor.start,
      'TRUST_ROOT_INVALID',
    ],
    [
      '80: whose log has a key of an unsupported kind',
      (r) => (r.tlogs[0].publicKey.rawBytes = 'MAkwBAYCKgMDAQA='),
      'UNSUPPORTED_ALGORITHM',
    ],
  ])('under a trusted root %s', async (_, edit, reason) => {
    const trustedRoot = v1.root()
    edit(trustedRoot)
    await refuse(
      verifyBundle(v1.bundle(), { digest: v1.artifact.digest }, v1.policy({ trustedRoot })),
      reason,
    )
  })
  let other: Json
  beforeAll(async () => {
    other = (await createSigstoreInstance()).trustedRoot()
  })
})

describe('a bundle made with a key is refused', () => {
  it.each<[string, () => Promise<Json>, string]>([
    [
      '37: over another type of payload',
      () => keyed(statementAbout({ sha256: hexOf(FOREIGN) }), { payloadType: 'text/plain' }),
      'PAYLOAD_TYPE',
    ],
    [
      '39: without a subject',
      () => keyed({ ...statementAbout({}), subject: [] }),
      'DIGEST_MISMATCH',
    ],
    [
      '39: about something else',
      () => keyed(statementAbout({ sha256: '1'.repeat(64) })),
      'DIGEST_MISMATCH',
    ],
    [
      '39: with the digest under another algorithm',
      () => keyed(statementAbout({ sha512: hexOf(FOREIGN) })),
      'DIGEST_MISMATCH',
    ],
    [
      '39: with two subjects of one name',
      () =>
        keyed(
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
        const b = await keyed('x', { payloadType: 'a' })
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
        keyed(statementAbout({ sha256: hexOf(FOREIGN) }), {
          key: await createKeySigner(await generateKeyPair()),
        }),
      'SIGNATURE_INVALID',
    ],
    [
      '30: without a log entry where one is asked for',
      () => keyed(statementAbout({ sha256: hexOf(FOREIGN) })),
      'TLOG_MISSING',
    ],
  ])('%s', async (name, make, reason) => {
    const policy: Policy = name.startsWith('30') ? { key, trustedRoot: v1.root() } : offline()
    await refuse(verifyBundle(await make(), { digest: FOREIGN }, policy), reason)
  })

  async function withSignature(edit: (der: Uint8Array) => Uint8Array): Promise<Json> {
    const bundle = await keyed(statementAbout({ sha256: hexOf(FOREIGN) }))
    const [signature] = bundle.dsseEnvelope.signatures
    signature.sig = formatBase64(edit(parseBase64(signature.sig)!))
    return bundle
  }

  it('by a policy for certificates, and one with a certificate by a policy for keys', async () => {
    const bundle = await keyed(statementAbout({ sha256: hexOf(FOREIGN) }))
    await refuse(
      verifyBundle(bundle, { digest: FOREIGN }, { ...v1.policy(), requireTransparencyLog: false }),
      'KEY_MISMATCH',
    )
    await refuse(
      verifyBundle(v1.bundle(), { digest: v1.artifact.digest }, { key, trustedRoot: v1.root() }),
      'KEY_MISMATCH',
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
    const bundle = await keyed(statementAbout({ sha256: hexOf(FOREIGN) }))
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
    await verifyBundle(bundle, { digest: FOREIGN }, offline())
  })

  it('a statement without a predicate', async () => {
    const { predicate: _, ...statement } = statementAbout({ sha256: hexOf(FOREIGN) }) as {
      predicate: object
    }
    await verifyBundle(await keyed(statement), { digest: FOREIGN }, offline())
  })

  it('a signature by the second of several keys', async () => {
    const first = await formatPublicKey((await generateKeyPair()).publicKey)
    const { signer: by } = await verifyBundle(
      await keyed(statementAbout({ sha256: hexOf(FOREIGN) })),
      { digest: FOREIGN },
      { key: [first, key], requireTransparencyLog: false },
    )
    expect(by).toEqual({
      kind: 'key',
      keyId: Array.from(await rawDigestOf(signer.publicKey), (byte) =>
        byte.toString(16).padStart(2, '0'),
      ).join(''),
    })
  })
})
