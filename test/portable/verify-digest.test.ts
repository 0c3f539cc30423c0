// Signatures over a digest: `verifyDigest` answers as verifying over the content does.
import { ed25519ph } from '@noble/curves/ed25519.js'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { formatBase64Url } from '../../src/bytes/base64.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { formatHex, parseHex } from '../../src/bytes/hex.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { formatEcdsaSignature } from '../../src/trust/keys/ecdsa.ts'
import type { HashName, SubjectDigest } from '../../src/trust/keys/hash.ts'
import { parsePublicKey } from '../../src/trust/keys/public-key.ts'
import { createKeySigner, type Signer } from '../../src/trust/keys/signer.ts'
import { verifyBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { verifyDigest } from '../../src/trust/keys/verify-digest.ts'
import { messageBundle } from './key-bundles.ts'
import type { Json } from './trust-fixture.ts'

const CURVES = { 'P-256': p256, 'P-384': p384, 'P-521': p521 } as const
const ARTIFACT = encodeUtf8('bare bytes')

interface Case {
  readonly name: keyof typeof CURVES | 'RSASSA-PKCS1-v1_5'
  readonly hash: HashName
  readonly bits?: number
}
const CASES: readonly Case[] = [
  { name: 'P-256', hash: 'SHA-256' },
  { name: 'P-384', hash: 'SHA-384' },
  // As cosign signed until 2026.
  { name: 'P-384', hash: 'SHA-256' },
  { name: 'P-521', hash: 'SHA-512' },
  { name: 'P-521', hash: 'SHA-256' },
  { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', bits: 2048 },
  { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', bits: 3072 },
]

const bytesOf = (value: bigint, length: number): Uint8Array =>
  parseHex(value.toString(16).padStart(length * 2, '0'))!
const integerOf = (bytes: Uint8Array): bigint => BigInt(`0x0${formatHex(bytes)}`)
const digestBy = async (hash: string, data: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest(hash, data as Uint8Array<ArrayBuffer>))

async function createKey({ name, hash, bits }: Case) {
  const algorithm: Json =
    bits === undefined
      ? { name: 'ECDSA', namedCurve: name }
      : { name, hash, modulusLength: bits, publicExponent: Uint8Array.of(1, 0, 1) }
  const pair = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as Json
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey))
  const usage: Json = bits === undefined ? { name: 'ECDSA', hash } : { name }
  return {
    spki,
    pair,
    /** As WebCrypto takes it. */
    sign: async (data: Uint8Array): Promise<Uint8Array> =>
      new Uint8Array(
        await crypto.subtle.sign(usage, pair.privateKey, data as Uint8Array<ArrayBuffer>),
      ),
    /** Over the content. Of RSA by our key, as WebKit itself accepts leading zeros. */
    verifiesContent: (signature: Uint8Array, data: Uint8Array): Promise<boolean> =>
      bits !== undefined
        ? parsePublicKey(spki).verify(signature, data, hash)
        : crypto.subtle.verify(
            usage,
            pair.publicKey,
            signature as Uint8Array<ArrayBuffer>,
            data as Uint8Array<ArrayBuffer>,
          ),
    verifies: async (signature: Uint8Array, data: Uint8Array): Promise<boolean> =>
      verifyDigest({
        algorithm: name,
        publicKey: spki,
        signature,
        hash,
        digest: await digestBy(hash, data),
      }),
  }
}

describe.each(CASES)('$name with $hash $bits', (kind) => {
  let key: Awaited<ReturnType<typeof createKey>>
  let signature: Uint8Array
  beforeAll(async () => {
    key = await createKey(kind)
    signature = await key.sign(ARTIFACT)
  })

  it('holds over the digest of what was signed, by this key, and of nothing else', async () => {
    expect(await key.verifies(signature, ARTIFACT)).toBe(true)
    expect(await key.verifies(signature, encodeUtf8('other bytes'))).toBe(false)
    expect(await (await createKey(kind)).verifies(signature, ARTIFACT)).toBe(false)
  })

  it('answers as it does over the content, whatever is changed of the signature', async () => {
    const change = fc.record({
      at: fc.nat(signature.length - 1),
      bit: fc.nat(7),
      how: fc.constantFrom('flip', 'cut', 'grow', 'zero', 'same'),
    })
    await fc.assert(
      fc.asyncProperty(change, async ({ at, bit, how }) => {
        const forged = Uint8Array.from(
          how === 'grow' ? [0, ...signature] : how === 'cut' ? signature.slice(1) : signature,
        )
        if (how === 'flip') forged[at]! ^= 1 << bit
        if (how === 'zero') forged.fill(0, at)
        const isGood = await key.verifiesContent(forged, ARTIFACT)
        expect(await key.verifies(forged, ARTIFACT)).toBe(isGood)
        expect(isGood).toBe(formatHex(forged) === formatHex(signature))
      }),
      { numRuns: 40, seed: 15 },
    )
  })
})

describe.each(Object.keys(CURVES) as (keyof typeof CURVES)[])('ECDSA on %s', (name) => {
  it('has a second signature with the other s, and none with numbers out of range', async () => {
    const hash = ({ 'P-256': 'SHA-256', 'P-384': 'SHA-384', 'P-521': 'SHA-512' } as const)[name]
    const key = await createKey({ name, hash })
    const signature = await key.sign(ARTIFACT)
    const width = signature.length / 2
    const order = CURVES[name].Point.Fn.ORDER
    const [r, s] = [integerOf(signature.subarray(0, width)), integerOf(signature.subarray(width))]
    const spell = (...numbers: readonly bigint[]) =>
      Uint8Array.from(numbers.flatMap((number) => [...bytesOf(number, width)]))
    for (const [numbers, isGood] of [
      [[r, s], true],
      [[r, order - s], true],
      [[order - r, s], false],
      [[0n, s], false],
      [[r, 0n], false],
      [[0n, 0n], false],
      [[order, order], false],
      [[r, order], false],
    ] as const) {
      expect(await key.verifiesContent(spell(...numbers), ARTIFACT)).toBe(isGood)
      expect(await key.verifies(spell(...numbers), ARTIFACT)).toBe(isGood)
    }
  })

  it('has no key beside the curve', async () => {
    const { spki } = await createKey({ name, hash: 'SHA-256' })
    const moved = spki.slice()
    moved[moved.length - 1]! ^= 1
    const digest = { hash: 'SHA-256', value: new Uint8Array(32) } as const
    const der = formatEcdsaSignature(new Uint8Array(CURVES[name].lengths.signature!).fill(1))
    await expect(
      parsePublicKey(moved).verifyDigest(der, digest, verifyDigest),
    ).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })
})

describe('RSA', () => {
  /** Any number, signed as if it were a message that was encoded. */
  async function createRaw(exponent: Uint8Array) {
    const pair: Json = await crypto.subtle.generateKey(
      {
        name: 'RSASSA-PKCS1-v1_5',
        hash: 'SHA-256',
        modulusLength: 2048,
        publicExponent: exponent as Uint8Array<ArrayBuffer>,
      },
      true,
      ['sign', 'verify'],
    )
    const jwk = await crypto.subtle.exportKey('jwk', pair.privateKey)
    const decode = (text = ''): bigint =>
      integerOf(
        Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) =>
          c.charCodeAt(0),
        ),
      )
    const [n, d] = [decode(jwk.n), decode(jwk.d)]
    const publicKey = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey))
    const digest = await digestBy('SHA-256', ARTIFACT)
    return {
      n,
      digest,
      signRaw(encoded: Uint8Array): Uint8Array {
        let [result, base] = [1n, integerOf(encoded)]
        for (let rest = d; rest > 0n; rest >>= 1n) {
          if (rest & 1n) result = (result * base) % n
          base = (base * base) % n
        }
        return bytesOf(result, 256)
      },
      verifies: (signature: Uint8Array) =>
        verifyDigest({
          algorithm: 'RSASSA-PKCS1-v1_5',
          publicKey,
          signature,
          hash: 'SHA-256',
          digest,
        }),
    }
  }
  const INFO = parseHex('3031300d060960864801650304020105000420')!
  const encode = (info: readonly number[], padding: number, ...rest: number[]): Uint8Array =>
    Uint8Array.from([0, 1, ...Array<number>(padding).fill(0xff), 0, ...info, ...rest])

  it('takes the one encoding that there is, and none that a lax parser reads the same', async () => {
    const key = await createRaw(Uint8Array.of(1, 0, 1))
    const info = [...INFO, ...key.digest]
    const good = key.signRaw(encode(info, 256 - 3 - info.length))
    expect(key.verifies(good)).toBe(true)
    const noNull = [...parseHex('302f300b06096086480165030402010420')!, ...key.digest]
    const longForm = [...parseHex('308131300d060960864801650304020105000420')!, ...key.digest]
    const forged = {
      'garbage behind': encode(info, 256 - 3 - info.length - 8, ...Array<number>(8).fill(7)),
      'little padding': encode(info, 8, ...Array<number>(256 - 11 - info.length).fill(7)),
      'no parameters': encode(noNull, 256 - 3 - noNull.length),
      'a long length': encode(longForm, 256 - 3 - longForm.length),
      'no hash named': encode([...key.digest], 256 - 3 - 32),
      'another type of block': encode(info, 256 - 3 - info.length).fill(2, 1, 2),
      'padding that is not FF': encode(info, 256 - 3 - info.length).fill(0xfe, 9, 10),
    }
    for (const [name, encoded] of Object.entries(forged))
      expect(key.verifies(key.signRaw(encoded)), name).toBe(false)
    // The same number, spelled otherwise.
    expect(key.verifies(Uint8Array.of(0, ...good))).toBe(false)
    const more = integerOf(good) + key.n
    if (more < 1n << 2048n) expect(key.verifies(bytesOf(more, 256))).toBe(false)
    expect(key.verifies(bytesOf(more, 257))).toBe(false)
    expect(key.verifies(new Uint8Array())).toBe(false)
  })

  it('takes no key of a size that is not taken over content', async () => {
    const { spki, sign } = await createKey({
      name: 'RSASSA-PKCS1-v1_5',
      hash: 'SHA-256',
      bits: 1024,
    })
    const signature = await sign(ARTIFACT)
    const digest = await digestBy('SHA-256', ARTIFACT)
    const algorithm = 'RSASSA-PKCS1-v1_5'
    expect(() =>
      verifyDigest({ algorithm, publicKey: spki, signature, hash: 'SHA-256', digest }),
    ).toThrow('the RSA key has 1024 bits: 2048 to 8192 bits are supported')
  })

  it('is not fooled by a small exponent: the cube root of a prefix is no signature', async () => {
    const key = await createRaw(Uint8Array.of(3))
    const info = [...INFO, ...key.digest]
    expect(key.verifies(key.signRaw(encode(info, 256 - 3 - info.length)))).toBe(true)
    const prefix = integerOf(encode(info, 8, ...Array<number>(256 - 11 - info.length).fill(0xff)))
    let [low, high] = [0n, 1n << 700n]
    while (low < high) {
      const middle = (low + high + 1n) / 2n
      if (middle ** 3n <= prefix) low = middle
      else high = middle - 1n
    }
    const cube = bytesOf(low ** 3n, 256)
    // What a parser that stops behind the digest would take.
    expect(formatHex(cube).startsWith(formatHex(encode(info, 8)))).toBe(true)
    expect(key.verifies(bytesOf(low, 256))).toBe(false)
  })
})

describe('Ed25519ph', () => {
  const SPKI = parseHex('302a300506032b6570032100')!
  const spkiOf = (key: Uint8Array): Uint8Array => Uint8Array.from([...SPKI, ...key])
  const verifies = async (key: Uint8Array, signature: Uint8Array, data = encodeUtf8('abc')) =>
    verifyDigest({
      algorithm: 'Ed25519ph',
      publicKey: spkiOf(key),
      signature,
      hash: 'SHA-512',
      digest: await digestBy('SHA-512', data),
    })

  it('is that of RFC 8032, 7.3', async () => {
    const key = parseHex('ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf')!
    const signature = parseHex(
      '98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406',
    )!
    expect(await verifies(key, signature)).toBe(true)
    expect(await verifies(key, signature, encodeUtf8('abd'))).toBe(false)
    for (const at of [0, 31, 32, 63]) {
      const forged = signature.slice()
      forged[at]! ^= 1
      expect(await verifies(key, forged)).toBe(false)
    }
    expect(await verifies(key, signature.slice(1))).toBe(false)
    // The same s, a multiple of the group's order higher.
    const order = (1n << 252n) + 27742317777372353535851937790883648493n
    const s = integerOf(signature.slice(32).reverse()) + order
    const higher = Uint8Array.from([...signature.slice(0, 32), ...bytesOf(s, 32).reverse()])
    expect(await verifies(key, higher)).toBe(false)
  })

  it('has no key of small order, for which anything would hold', async () => {
    for (const point of [
      '0100000000000000000000000000000000000000000000000000000000000000',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      '0000000000000000000000000000000000000000000000000000000000000000',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    ]) {
      const key = parseHex(point)!
      const identity = Uint8Array.from({ length: 64 }, (_, at) => (at === 0 ? 1 : 0))
      expect(await verifies(key, identity)).toBe(false)
      expect(await verifies(key, Uint8Array.from([...key, ...new Uint8Array(32)]))).toBe(false)
    }
  })
})

describe('a bundle over bare bytes', () => {
  const digestIn = async (bits: 256 | 384 | 512, data = ARTIFACT): Promise<SubjectDigest> =>
    `sha${bits}:${formatHex(await digestBy(`SHA-${bits}`, data))}` as SubjectDigest
  const policyOf = (signer: Signer) =>
    ({ key: signer.publicKey, requireTransparencyLog: false }) as const
  const signerOf = async (kind: Case): Promise<Signer> => {
    const key = await createKey(kind)
    return { publicKey: key.spki, encoding: 'p1363', sign: key.sign }
  }
  const options = { verifyDigest }

  it.each([
    [{ name: 'P-256', hash: 'SHA-256' }, 256],
    [{ name: 'P-384', hash: 'SHA-384' }, 384],
    [{ name: 'P-521', hash: 'SHA-512' }, 512],
    [{ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', bits: 2048 }, 256],
  ] as const)('of %j holds over its digest, and says what was seen', async (kind, bits) => {
    const signer = await signerOf(kind)
    const [bundle, policy] = [await messageBundle(signer, ARTIFACT, bits), policyOf(signer)]
    const digest = await digestIn(bits)
    expect(await verifyBundle(bundle, { digest }, policy, options)).toMatchObject({
      seen: 'digest',
      signer: { kind: 'key' },
    })
    const whole = await verifyBundle(bundle, { artifact: ARTIFACT }, policy, options)
    expect(whole.seen).toBe('artifact')

    const foreign = await digestIn(bits, encodeUtf8('other'))
    await expect(verifyBundle(bundle, { digest: foreign }, policy, options)).rejects.toMatchObject({
      reason: 'DIGEST_MISMATCH',
    })
    // Though the bundle says so.
    const lying = await messageBundle(signer, ARTIFACT, bits)
    lying.messageSignature.messageDigest = (
      await messageBundle(signer, encodeUtf8('other'), bits)
    ).messageSignature.messageDigest
    await expect(verifyBundle(lying, { digest: foreign }, policy, options)).rejects.toMatchObject({
      reason: 'SIGNATURE_INVALID',
    })
    await expect(
      verifyBundle(bundle, { digest }, policyOf(await signerOf(kind)), options),
    ).rejects.toMatchObject({ reason: 'SIGNATURE_INVALID' })
    await expect(verifyBundle(bundle, { digest }, policy)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('spindle/verify-digest'),
    })
  })

  it.each<[Case, 256 | 384 | 512, string]>([
    [{ name: 'P-256', hash: 'SHA-256' }, 512, 'SHA-256'],
    [{ name: 'P-384', hash: 'SHA-384' }, 512, 'SHA-384 or SHA-256'],
    [{ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', bits: 2048 }, 384, 'SHA-256'],
  ])('of %j asks for a digest that is signed, not SHA-%i', async (kind, bits, asked) => {
    const signer = await signerOf(kind)
    const bundle = await messageBundle(signer, ARTIFACT, bits)
    await expect(
      verifyBundle(bundle, { digest: await digestIn(bits) }, policyOf(signer), options),
    ).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining(`signs ${asked}`),
    })
    // The hint says another hash than is given, and can't be compared.
    await expect(
      verifyBundle(bundle, { digest: await digestOf(ARTIFACT) }, policyOf(signer), options),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/ERR_(?:UNSUPPORTED|SIGNATURE_INVALID)/),
    })
  })

  it.each([[{ verified: true }], ['true'], [1], [undefined]])(
    'is not taken for good where what verifies over digests answers %j',
    async (answer) => {
      const signer = await signerOf({ name: 'P-256', hash: 'SHA-256' })
      const bundle = await messageBundle(signer, ARTIFACT)
      const loose = { verifyDigest: () => answer as unknown as boolean }
      await expect(
        verifyBundle(bundle, { digest: await digestIn(256) }, policyOf(signer), loose),
      ).rejects.toMatchObject({ reason: 'SIGNATURE_INVALID' })
    },
  )

  it('of Ed25519 needs the artifact, of Ed25519ph the option', async () => {
    const seed = crypto.getRandomValues(new Uint8Array(32))
    const signer = await createKeySigner({ kty: 'OKP', crv: 'Ed25519', d: formatBase64Url(seed) })
    const policy = policyOf(signer)
    const plain = await messageBundle(signer, ARTIFACT, 512)
    await verifyBundle(plain, { artifact: ARTIFACT }, policy)
    await verifyBundle(plain, { artifact: ARTIFACT }, policy, options)
    await expect(
      verifyBundle(plain, { digest: await digestIn(512) }, policy, options),
    ).rejects.toMatchObject({ message: expect.stringContaining('pass the artifact') })
    await expect(
      verifyBundle(
        await messageBundle(signer, ARTIFACT, 256),
        { digest: await digestIn(256) },
        policy,
        options,
      ),
    ).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('Ed25519 signs content'),
    })

    const prehashed = structuredClone(plain)
    prehashed.messageSignature.signature = btoa(
      String.fromCharCode(...ed25519ph.sign(ARTIFACT, seed)),
    )
    for (const over of [{ artifact: ARTIFACT }, { digest: await digestIn(512) }]) {
      await verifyBundle(prehashed, over, policy, options)
      await expect(verifyBundle(prehashed, over, policy)).rejects.toMatchObject({
        code: expect.stringMatching(/ERR_(?:UNSUPPORTED|SIGNATURE_INVALID)/),
      })
    }
    const foreign = { digest: await digestIn(512, encodeUtf8('other')) }
    await expect(verifyBundle(prehashed, foreign, policy, options)).rejects.toMatchObject({
      reason: 'DIGEST_MISMATCH',
    })
  })
})
