import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { cpuTime } from '../fixtures/cpu-time.ts'
import { formatBase64 } from '../../src/bytes/base64.ts'
import { formatPem, parsePem } from '../../src/bytes/pem.ts'
import { decodeUtf8, encodeUtf8 } from '../../src/bytes/text.ts'
import { exportCosignKey, importCosignKey } from '../../src/trust/keys/cosign-key.ts'
import {
  formatPrivateKey,
  formatPublicKey,
  generateKeyPair,
  importPrivateKey,
  publicKeyOfPrivate,
} from '../../src/trust/keys/private-key.ts'
import { loadPublicKey, type WebKey } from '../../src/trust/keys/public-key.ts'
import { createKeySigner, signChecked } from '../../src/trust/keys/signer.ts'

const bytes = encodeUtf8('what is signed')

/** Whether what one half signs, the other verifies. */
async function fit(privateKey: WebKey, publicPem: string): Promise<boolean> {
  const signature = await signChecked(await createKeySigner(privateKey), bytes)
  const key = await loadPublicKey(publicPem)
  return key.verify(signature, bytes)
}

describe('the address of a key', () => {
  it.each([
    ['pkcs11:token=release;object=hello?pin-value=1234', 'pkcs11:'],
    ['awskms:///alias/hello', 'awskms://'],
    [' azurekms://vault/key\n', 'azurekms://'],
  ])('%j in place of a key is refused by its scheme, without its PIN', async (address, scheme) => {
    for (const call of [
      () => importPrivateKey(address),
      () => loadPublicKey(address),
      () => importCosignKey(address, ''),
      () => createKeySigner(address),
    ]) {
      const error = await (async () => call())().catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({
        code: 'ERR_UNSUPPORTED',
        message: expect.stringContaining(`can't be taken from ${scheme};`),
      })
      expect((error as Error).message).not.toContain('1234')
    }
  })
})

describe('private keys', () => {
  it.each(['P-256', 'P-384', 'P-521'] as const)(
    'on %s are made, written and read again',
    async (curve) => {
      const { privateKey, publicKey } = await generateKeyPair({ curve })
      const again = await importPrivateKey(await formatPrivateKey(privateKey))
      expect(await fit(again, await formatPublicKey(publicKey))).toBe(true)
      expect(await formatPublicKey(await publicKeyOfPrivate(again))).toBe(
        await formatPublicKey(publicKey),
      )
    },
  )

  const named = (
    type: 'ec' | 'rsa' | 'ed25519',
    options: object,
    privateType: 'pkcs8' | 'sec1' | 'pkcs1',
    publicType: 'spki' | 'pkcs1' = 'spki',
  ): { privateKey: string; publicKey: string } =>
    generateKeyPairSync(type as 'ec', {
      ...(options as { namedCurve: string }),
      privateKeyEncoding: { type: privateType as 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: publicType as 'spki', format: 'pem' },
    })

  it.each([
    ['PKCS#8, P-256', named('ec', { namedCurve: 'P-256' }, 'pkcs8')],
    ['SEC 1, P-256', named('ec', { namedCurve: 'P-256' }, 'sec1')],
    ['SEC 1, P-384', named('ec', { namedCurve: 'P-384' }, 'sec1')],
    ['SEC 1, P-521', named('ec', { namedCurve: 'P-521' }, 'sec1')],
    ['PKCS#8, RSA', named('rsa', { modulusLength: 2048 }, 'pkcs8')],
    ['PKCS#1, RSA, both halves', named('rsa', { modulusLength: 2048 }, 'pkcs1', 'pkcs1')],
    ['PKCS#8, Ed25519', named('ed25519', {}, 'pkcs8')],
  ])('of OpenSSL are read: %s', async (_, pair) => {
    expect(await fit(await importPrivateKey(pair.privateKey), pair.publicKey)).toBe(true)
  })

  it('are read from a JWK', async () => {
    const { privateKey, publicKey } = await generateKeyPair()
    const jwk = await crypto.subtle.exportKey('jwk', privateKey as CryptoKey)
    expect(
      await fit(await importPrivateKey({ ...jwk, kty: 'EC' }), await formatPublicKey(publicKey)),
    ).toBe(true)
  })

  it('that are not extractable sign only as part of a pair', async () => {
    const pair = await generateKeyPair({ extractable: false })
    await expect(createKeySigner(pair.privateKey)).rejects.toThrow(/pass the key pair/)
    await expect(signChecked(await createKeySigner(pair), bytes)).resolves.toBeInstanceOf(
      Uint8Array,
    )
  })

  it('that are not extractable, and public ones, cannot be exported', async () => {
    const { privateKey, publicKey } = await generateKeyPair({ extractable: false })
    for (const write of [formatPrivateKey, (key: WebKey) => exportCosignKey(key, '')]) {
      await expect(write(privateKey)).rejects.toThrow(/^the private key is not extractable/)
      await expect(write(publicKey)).rejects.toThrow(
        new TypeError('the key should be a private key and is a public key'),
      )
    }
  })

  it('of an unsupported kind, or damaged, are rejected', async () => {
    const x25519 = generateKeyPairSync('x25519', {
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    await expect(importPrivateKey(x25519.privateKey)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    })
    await expect(importPrivateKey(formatPem('CERTIFICATE', bytes))).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    })
    await expect(importPrivateKey(formatPem('PRIVATE KEY', bytes))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })

  it.each([
    ['ENCRYPTED PRIVATE KEY', ''],
    ['OPENSSH PRIVATE KEY', ''],
    ['RSA PRIVATE KEY', 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n'],
  ])('with a password are refused with the way to do without: %s', async (label, headers) => {
    const pem = formatPem(label, bytes).replace('-----\n', `-----\n${headers}`)
    await expect(importPrivateKey(pem)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/without a password: openssl pkcs8 -topk8 -nocrypt/),
    })
  })

  it('in a service that signs with another key are detected before anything is stored', async () => {
    const [ours, other] = [await generateKeyPair(), await createKeySigner(await generateKeyPair())]
    const liar = { ...other, publicKey: (await createKeySigner(ours)).publicKey }
    await expect(signChecked(liar, bytes)).rejects.toMatchObject({ code: 'ERR_SIGNATURE_INVALID' })
  })
})

describe('public keys', () => {
  it('48: RSA of 1024 bits is refused', async () => {
    const { publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 1024,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    })
    await expect(loadPublicKey(publicKey)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('1024'),
    })
  })

  it('on an unsupported curve are rejected', async () => {
    const { publicKey } = generateKeyPairSync('ec', {
      namedCurve: 'secp256k1',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    })
    await expect(loadPublicKey(publicKey)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
  })

  it('are rejected if they are private keys', async () => {
    const { privateKey } = await generateKeyPair()
    await expect(loadPublicKey(privateKey)).rejects.toThrow(TypeError)
    await expect(loadPublicKey(await formatPrivateKey(privateKey))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })
})

describe('cosign.key', () => {
  /** A file with another password, cost or content. */
  const edited = (pem: string, edit: (file: any) => void): string => {
    const file = JSON.parse(decodeUtf8(parsePem(pem, 'it')[0]!.bytes)!)
    edit(file)
    return formatPem('ENCRYPTED SIGSTORE PRIVATE KEY', encodeUtf8(JSON.stringify(file)))
  }

  it('is exported and imported, with and without a password', async () => {
    const { privateKey, publicKey } = await generateKeyPair()
    for (const password of ['', 'hello ☃']) {
      const pem = await exportCosignKey(privateKey, password)
      expect(pem).toMatch(/^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/)
      expect(
        await fit(await importCosignKey(pem, password), await formatPublicKey(publicKey)),
      ).toBe(true)
    }
  })

  it('82: a wrong password is said to be one', async () => {
    const pem = await exportCosignKey((await generateKeyPair()).privateKey, 'right')
    await expect(importCosignKey(pem, 'wrong')).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_INVALID',
    })
  })

  it.each([
    [
      '83: scrypt with N outside the three',
      (file: any) => (file.kdf.params.N = 2 ** 20),
      'ERR_UNSUPPORTED',
    ],
    ['83: scrypt with another r', (file: any) => (file.kdf.params.r = 16), 'ERR_UNSUPPORTED'],
    ['83: scrypt with another p', (file: any) => (file.kdf.params.p = 2), 'ERR_UNSUPPORTED'],
    ['84: another key derivation', (file: any) => (file.kdf.name = 'argon2'), 'ERR_UNSUPPORTED'],
    ['84: another cipher', (file: any) => (file.cipher.name = 'aes'), 'ERR_UNSUPPORTED'],
    [
      '86: a nonce of another length',
      (file: any) => (file.cipher.nonce = formatBase64(new Uint8Array(23))),
      'ERR_CONTENT_INVALID',
    ],
    [
      '86: a salt of another length',
      (file: any) => (file.kdf.salt = formatBase64(new Uint8Array(31))),
      'ERR_CONTENT_INVALID',
    ],
  ])('%s is refused, before any work', async (_, edit, code) => {
    const pem = edited(COSIGN_KEY, edit)
    const started = cpuTime()
    await expect(importCosignKey(pem, 'hello')).rejects.toMatchObject({ code })
    expect(cpuTime() - started).toBeLessThan(100)
  })

  it('85: with SEC 1 inside is refused', async () => {
    const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa.js')
    const { scrypt } = await import('@noble/hashes/scrypt.js')
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: { type: 'sec1', format: 'der' },
      publicKeyEncoding: { type: 'spki', format: 'der' },
    })
    const [salt, nonce] = [new Uint8Array(32), new Uint8Array(24)]
    const key = scrypt(encodeUtf8('x'), salt, { N: 32768, r: 8, p: 1, dkLen: 32 })
    const pem = edited(COSIGN_KEY, (file) => {
      file.kdf = { name: 'scrypt', params: { N: 32768, r: 8, p: 1 }, salt: formatBase64(salt) }
      file.cipher.nonce = formatBase64(nonce)
      file.ciphertext = formatBase64(
        xsalsa20poly1305(key, nonce).encrypt(new Uint8Array(privateKey)),
      )
    })
    await expect(importCosignKey(pem, 'x')).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })
})

// The cases above change its parameters; its ciphertext is never decrypted.
const COSIGN_KEY = formatPem(
  'ENCRYPTED SIGSTORE PRIVATE KEY',
  encodeUtf8(
    JSON.stringify({
      kdf: {
        name: 'scrypt',
        params: { N: 65536, r: 8, p: 1 },
        salt: formatBase64(new Uint8Array(32)),
      },
      cipher: { name: 'nacl/secretbox', nonce: formatBase64(new Uint8Array(24)) },
      ciphertext: formatBase64(new Uint8Array(64)),
    }),
  ),
)
