/** cosign's encrypted private keys. A separate entry point, so that other bundles do not include scrypt. */
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { scryptAsync } from '@noble/hashes/scrypt.js'
import { formatBase64 } from '../../bytes/base64.ts'
import { parseJson } from '../../bytes/json.ts'
import { formatPem, parsePem } from '../../bytes/pem.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import { exportPkcs8, importPkcs8 } from './private-key.ts'
import type { WebKey } from './public-key.ts'
import { readField } from '../wire/wire-json.ts'

export type { WebKey } from './public-key.ts'

const LABEL = 'ENCRYPTED SIGSTORE PRIVATE KEY'
const LABELS: ReadonlySet<string> = new Set([LABEL, 'ENCRYPTED COSIGN PRIVATE KEY'])
/** The scrypt work factors that cosign writes; larger ones could exhaust memory. */
const WORK_FACTORS: ReadonlySet<number> = new Set([32768, 65536, 131072])
const WRITTEN_WORK_FACTOR = 65536

/**
 * Decrypts a `cosign.key` file.
 *
 * Exported from `spindle/cosign-key`. Takes 0.2 to 0.7 s and 32 to 128 MiB of memory, depending on the
 * work factor in the file. A Cloudflare Worker has 128 MiB in total: prefer an unencrypted PKCS#8 secret
 * there.
 *
 * @example Sign with the key that `cosign generate-key-pair` made
 * ```ts
 * const key = await importCosignKey(pem, password)
 * await sign('ghcr.io/team/app:1', await createKeySigner(key))
 * ```
 * @throws `ERR_CREDENTIALS_INVALID` for a wrong password, `ERR_UNSUPPORTED` for another cipher or
 * work factor, `ERR_CONTENT_INVALID` for a damaged file.
 * @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
 */
export async function importCosignKey(pem: string, password: string): Promise<WebKey> {
  const [block] = parsePem(pem, 'the cosign key')
  if (!LABELS.has(block!.label))
    throw new SpindleError('ERR_UNSUPPORTED', `a "${LABEL}" block is needed, not "${block!.label}"`)
  const file = readField(parseJson(block!.bytes, 'the cosign key'), 'cosign key')
  const { kdf, cipher } = { kdf: file.get('kdf'), cipher: file.get('cipher') }
  const [N, r, p] = ['N', 'r', 'p'].map((name) => kdf.get('params').get(name).count()) as [
    number,
    number,
    number,
  ]
  if (kdf.get('name').value !== 'scrypt' || cipher.get('name').value !== 'nacl/secretbox')
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'the cosign key is not encrypted with scrypt and nacl/secretbox: write it again with `cosign import-key-pair`',
    )
  if (!WORK_FACTORS.has(N) || r !== 8 || p !== 1)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `the cosign key has scrypt parameters that cosign does not write (N=${N}, r=${r}, p=${p}): refused, they could exhaust memory`,
    )
  const nonce = cipher.get('nonce').bytes()
  const salt = kdf.get('salt').bytes()
  if (nonce.length !== 24 || salt.length !== 32)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      'the salt or nonce of the cosign key has the wrong length: the file is damaged',
    )
  const plain = open(await derive(password, salt, N), nonce, file.get('ciphertext').bytes())
  try {
    return await importPkcs8(plain, true)
  } catch (cause) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      'the decrypted cosign key is not a PKCS#8 key of a supported kind (ECDSA, RSA or Ed25519)',
      { cause },
    )
  } finally {
    plain.fill(0)
  }
}

/**
 * Encrypts a private key as `cosign generate-key-pair` does, and returns the text of a `cosign.key` file.
 *
 * Exported from `spindle/cosign-key`.
 *
 * @example Write a key pair that cosign can use
 * ```ts
 * const pair = await generateKeyPair()
 * await writeFile('cosign.key', await exportCosignKey(pair.privateKey, password), { mode: 0o600 })
 * await writeFile('cosign.pub', await formatPublicKey(pair.publicKey))
 * ```
 * @param key An extractable private key.
 * @throws `TypeError` for a key that is not private or not extractable.
 */
export async function exportCosignKey(key: WebKey, password: string): Promise<string> {
  const plain = await exportPkcs8(key)
  const salt = crypto.getRandomValues(new Uint8Array(32))
  const nonce = crypto.getRandomValues(new Uint8Array(24))
  const ciphertext = xsalsa20poly1305(
    await derive(password, salt, WRITTEN_WORK_FACTOR),
    nonce,
  ).encrypt(plain)
  plain.fill(0)
  const file = {
    kdf: {
      name: 'scrypt',
      params: { N: WRITTEN_WORK_FACTOR, r: 8, p: 1 },
      salt: formatBase64(salt),
    },
    cipher: { name: 'nacl/secretbox', nonce: formatBase64(nonce) },
    ciphertext: formatBase64(ciphertext),
  }
  return formatPem(LABEL, encodeUtf8(JSON.stringify(file)))
}

function derive(password: string, salt: Uint8Array, N: number): Promise<Uint8Array> {
  return scryptAsync(encodeUtf8(password), salt, { N, r: 8, p: 1, dkLen: 32 })
}

function open(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  try {
    return xsalsa20poly1305(key, nonce).decrypt(ciphertext)
  } catch (cause) {
    throw new SpindleError(
      'ERR_CREDENTIALS_INVALID',
      'the password of the cosign key is wrong, or the file is damaged',
      { cause },
    )
  } finally {
    key.fill(0)
  }
}
