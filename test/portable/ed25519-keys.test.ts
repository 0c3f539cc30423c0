// Ed25519 keys of every form sign and verify in every engine: WebKit cannot import seeds that begin with a zero.
import { getPublicKeyAsync } from '@noble/ed25519'
import { describe, expect, it } from 'vitest'
import { formatBase64Url } from '../../src/bytes/base64.ts'
import { createEd25519Key, verifyEd25519 } from '../../src/bytes/ed25519.ts'
import { formatPem } from '../../src/bytes/pem.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { parsePublicKey } from '../../src/trust/keys/public-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'

const MESSAGE = encodeUtf8('the message')
const PKCS8 = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20]

const seedOf = (...first: number[]): Uint8Array => {
  const seed = new Uint8Array(32).fill(7)
  seed.set(first)
  return seed
}
const pkcs8Of = (seed: Uint8Array): Uint8Array => Uint8Array.from([...PKCS8, ...seed])

async function signsAndVerifies(key: Parameters<typeof createKeySigner>[0]): Promise<void> {
  const signer = await createKeySigner(key)
  const signature = await signer.sign(MESSAGE)
  const publicKey = parsePublicKey(signer.publicKey)
  expect(await publicKey.verify(signature, MESSAGE)).toBe(true)
  expect(await publicKey.verify(signature, encodeUtf8('another'))).toBe(false)
}

describe.each([[0], [0, 0], [1], [0x7f], [0x80], [0xff]])(
  'a seed that begins with %i',
  (...first) => {
    const seed = seedOf(...first)

    it('signs as RFC 8032 says, whichever implementation does it', async () => {
      const key = await createEd25519Key(seed)
      const reference = await createEd25519Key(seed, { engine: 'noble' })
      const signature = await key.sign(MESSAGE)
      expect(signature).toEqual(await reference.sign(MESSAGE))
      expect(await verifyEd25519(signature, MESSAGE, key.publicKey)).toBe(true)
    })

    it('signs as PKCS#8, PEM and JWK', async () => {
      const { publicKey } = await createEd25519Key(seed)
      await signsAndVerifies(pkcs8Of(seed))
      await signsAndVerifies(formatPem('PRIVATE KEY', pkcs8Of(seed)))
      await signsAndVerifies({
        kty: 'OKP',
        crv: 'Ed25519',
        d: formatBase64Url(seed),
        x: formatBase64Url(publicKey),
      })
    })
  },
)

it('a JWK whose halves do not belong together is refused', async () => {
  const x = formatBase64Url((await createEd25519Key(seedOf(1))).publicKey)
  const key = { kty: 'OKP', crv: 'Ed25519', d: formatBase64Url(seedOf(2)), x }
  await expect(createKeySigner(key)).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
})

it('a seed that is too short is refused', async () => {
  await expect(createKeySigner(pkcs8Of(seedOf(1)).slice(0, -1))).rejects.toMatchObject({
    code: 'ERR_CONTENT_INVALID',
  })
})

it('public keys that begin or end with a zero verify', async () => {
  const edges: Uint8Array[] = []
  for (let count = 0; edges.length < 2; count++) {
    const seed = seedOf(9, count & 0xff, count >> 8)
    const publicKey = await getPublicKeyAsync(seed)
    if (publicKey[0] === 0 || publicKey[31] === 0) edges.push(seed)
  }
  for (const seed of edges) {
    await signsAndVerifies(pkcs8Of(seed))
    const { publicKey, sign } = await createEd25519Key(seed)
    expect(await verifyEd25519(await sign(MESSAGE), MESSAGE, publicKey)).toBe(true)
  }
})
