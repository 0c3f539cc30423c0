/** Generates, imports and exports private keys. cosign's encrypted format is in `cosign-key.ts`. */
import {
  derOid,
  DER_NULL,
  DER_OCTET_STRING,
  DER_SEQUENCE,
  expectDer,
  formatDer,
  formatDerInteger,
  formatDerOid,
  derMembers,
  parseDer,
} from '../../bytes/der.ts'
import { parseBase64Url } from '../../bytes/base64.ts'
import { formatPem, parsePem } from '../../bytes/pem.ts'
import { SpindleError } from '../../errors.ts'
import type { WebKey } from './public-key.ts'

/** A pair of `CryptoKey`s, like the `CryptoKeyPair` of WebCrypto. */
export interface WebKeyPair {
  /** Key with the usage `sign`. */
  readonly privateKey: WebKey
  /** Key with the usage `verify`. */
  readonly publicKey: WebKey
}

/** A private JSON Web Key. @see https://www.rfc-editor.org/rfc/rfc7517 */
export interface PrivateJwk {
  /** Key type: `EC`, `RSA` or `OKP`. */
  readonly kty: string
  /** The private value, base64url. */
  readonly d?: string
  /** The other members that the key type needs, such as `crv`, `x` and `y`. */
  readonly [member: string]: unknown
}

/** Elliptic curve of an ECDSA key. */
export type Curve = 'P-256' | 'P-384' | 'P-521'

const EC = '1.2.840.10045.2.1'
const RSA = '1.2.840.113549.1.1.1'
const CURVE_NAMES: ReadonlyMap<string, Curve> = new Map([
  ['1.2.840.10045.3.1.7', 'P-256'],
  ['1.3.132.0.34', 'P-384'],
  ['1.3.132.0.35', 'P-521'],
])

/**
 * Generates an ECDSA key pair.
 *
 * Exported from the main entry point and `spindle/sign`.
 *
 * @example Write both keys as PEM
 * ```ts
 * const pair = await generateKeyPair()
 * const files = { 'app.key': await formatPrivateKey(pair.privateKey), 'app.pub': await formatPublicKey(pair.publicKey) }
 * ```
 * @param options.curve Default `P-256`: released versions of cosign cannot verify their own signatures on
 * the other curves.
 * @param options.extractable Whether the private key can be exported. Default true.
 */
export async function generateKeyPair(
  options: { curve?: Curve; extractable?: boolean } = {},
): Promise<WebKeyPair> {
  const { curve = 'P-256', extractable = true } = options
  return (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: curve }, extractable, [
    'sign',
    'verify',
  ])) as WebKeyPair
}

/**
 * Imports a private key from PEM (`PRIVATE KEY`, `EC PRIVATE KEY`, `RSA PRIVATE KEY`), PKCS#8 DER or a JWK.
 *
 * Exported from `spindle/sign`. For a password-protected `cosign.key`
 * see `importCosignKey` in `spindle/cosign-key`.
 *
 * @example A PKCS#8 key in a file
 * ```ts
 * const key = await importPrivateKey(await readFile('app.key', 'utf8'))
 * await sign('ghcr.io/team/app:1', await createKeySigner(key))
 * ```
 * @param options.extractable Whether the key can be exported again. Default true: `createKeySigner` derives
 * the public key from an extractable private key.
 * @throws `ERR_CONTENT_INVALID` for a malformed key; `ERR_UNSUPPORTED` for an encrypted key or another
 * algorithm than ECDSA, RSA or Ed25519.
 */
export async function importPrivateKey(
  input: string | Uint8Array | PrivateJwk,
  options: { extractable?: boolean } = {},
): Promise<WebKey> {
  const { extractable = true } = options
  // Awaited: workerd reports a rejection that a returned promise has at once as unhandled.
  if (typeof input === 'string') return await importPkcs8(pkcs8OfPem(input), extractable)
  if (input instanceof Uint8Array) return await importPkcs8(input, extractable)
  const algorithm = algorithmOfJwk(input)
  return withImportError(
    crypto.subtle.importKey('jwk', input as JsonWebKey, algorithm, extractable, ['sign']),
    input,
  )
}

/** @internal Imports PKCS#8 DER. */
export async function importPkcs8(der: Uint8Array, extractable: boolean): Promise<WebKey> {
  const algorithm = algorithmOfPkcs8(der)
  return withImportError(
    crypto.subtle.importKey('pkcs8', der as Uint8Array<ArrayBuffer>, algorithm, extractable, [
      'sign',
    ]),
    der,
  )
}

async function withImportError(
  key: Promise<WebKey>,
  input: Uint8Array | PrivateJwk,
): Promise<WebKey> {
  try {
    return await key
  } catch (cause) {
    if (ed25519Seed(input) !== undefined)
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        "this engine's WebCrypto cannot import this Ed25519 key: pass the key itself to `createKeySigner`",
        { cause },
      )
    // The engine's message stays in the cause: some engines quote their input.
    throw new SpindleError('ERR_CONTENT_INVALID', 'the private key is damaged: export it again', {
      cause,
    })
  }
}

/**
 * @internal The seed of an Ed25519 key, 32 bytes; `undefined` for other keys and malformed ones.
 * @see RFC 8410, 7, and RFC 8037, 2
 */
export function ed25519Seed(input: string | Uint8Array | PrivateJwk): Uint8Array | undefined {
  try {
    const seed = readEd25519Seed(input)
    return seed?.length === 32 ? seed : undefined
  } catch {
    return undefined
  }
}

function readEd25519Seed(input: string | Uint8Array | PrivateJwk): Uint8Array | undefined {
  if (typeof input === 'string' || input instanceof Uint8Array) {
    const der = typeof input === 'string' ? pkcs8OfPem(input) : input
    if (algorithmOfPkcs8(der).name !== 'Ed25519') return undefined
    const { value } = expectDer(derMembers(der)[2], DER_OCTET_STRING)
    return expectDer(parseDer(value), DER_OCTET_STRING).value
  }
  if (algorithmOfJwk(input).name !== 'Ed25519' || input.d === undefined) return undefined
  return parseBase64Url(input.d)
}

/** Derives the public key from an extractable private key. */
export async function publicKeyOfPrivate(key: WebKey): Promise<WebKey> {
  assertExtractable(key, 'pass the key pair, because the public key cannot be derived')
  const jwk = await crypto.subtle.exportKey('jwk', key as CryptoKey)
  const { kty, crv, x, y, n, e } = jwk
  const half = Object.fromEntries(
    Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined),
  )
  return crypto.subtle.importKey('jwk', half, key.algorithm as Algorithm, true, ['verify'])
}

/**
 * Formats a private key as PKCS#8 PEM, unencrypted: store it as a secret.
 *
 * Exported from `spindle/sign`.
 *
 * @example Write a new key
 * ```ts
 * const { privateKey } = await generateKeyPair()
 * await writeFile('app.key', await formatPrivateKey(privateKey), { mode: 0o600 })
 * ```
 * @throws `TypeError` for a key that is not private or not extractable.
 */
export async function formatPrivateKey(key: WebKey): Promise<string> {
  return formatPem('PRIVATE KEY', await exportPkcs8(key))
}

/** @internal Exports PKCS#8 DER. */
export async function exportPkcs8(key: WebKey): Promise<Uint8Array> {
  assertExtractable(key, 'generate or import it with `extractable: true`')
  return new Uint8Array(await crypto.subtle.exportKey('pkcs8', key as CryptoKey))
}

function assertExtractable(key: WebKey, nextStep: string): void {
  if (key.type !== 'private')
    throw new TypeError(`the key should be a private key and is a ${key.type} key`)
  if (!key.extractable) throw new TypeError(`the private key is not extractable: ${nextStep}`)
}

/**
 * Formats a public key as SPKI PEM, the format of `cosign.pub`.
 *
 * Exported from `spindle/sign`.
 *
 * @example Publish the public key of a pair
 * ```ts
 * const { publicKey } = await generateKeyPair()
 * await writeFile('app.pub', await formatPublicKey(publicKey))
 * ```
 * @param key An extractable public key.
 */
export async function formatPublicKey(key: WebKey): Promise<string> {
  return formatPem(
    'PUBLIC KEY',
    new Uint8Array(await crypto.subtle.exportKey('spki', key as CryptoKey)),
  )
}

function pkcs8OfPem(pem: string): Uint8Array {
  // OpenSSL's encryption from before PKCS#8, marked by a header inside the PEM block.
  if (/^Proc-Type:.*ENCRYPTED/m.test(pem)) throw encryptedError('encrypted')
  const blocks = parsePem(pem, 'the private key')
  const block = blocks.find(({ label }) => label.endsWith('PRIVATE KEY')) ?? blocks[0]
  switch (block?.label) {
    case 'PRIVATE KEY':
      return block.bytes
    case 'RSA PRIVATE KEY':
      return wrap(block.bytes, formatDerOid(RSA), formatDer(DER_NULL))
    case 'EC PRIVATE KEY': {
      // Copy the curve from the key's field [0] to the algorithm. RFC 5915, 3
      const parameters = derMembers(block.bytes).find(({ tag }) => tag === 0xa0)
      if (parameters === undefined)
        throw new SpindleError(
          'ERR_CONTENT_INVALID',
          'the EC private key names no curve: write it again as PKCS#8 with openssl pkcs8 -topk8 -nocrypt',
        )
      return wrap(block.bytes, formatDerOid(EC), parameters.value)
    }
    case 'ENCRYPTED SIGSTORE PRIVATE KEY':
    case 'ENCRYPTED COSIGN PRIVATE KEY':
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        'the private key is in the encrypted format of cosign: import it with importCosignKey of spindle/cosign-key',
      )
    default:
      if (block?.label.endsWith('PRIVATE KEY')) throw encryptedError(block.label)
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `the PEM text should have a "PRIVATE KEY" block and has "${block?.label}": pass the private key of the pair`,
      )
  }
}

function encryptedError(label: string): SpindleError {
  return new SpindleError(
    'ERR_UNSUPPORTED',
    `the private key is "${label}": write it again as PKCS#8 without a password: openssl pkcs8 -topk8 -nocrypt, or ssh-keygen -p -m PKCS8`,
  )
}

/** Wraps a bare key in PKCS#8. @see https://www.rfc-editor.org/rfc/rfc5208#section-5 */
function wrap(key: Uint8Array, ...algorithm: Uint8Array[]): Uint8Array {
  return formatDer(
    DER_SEQUENCE,
    formatDerInteger(Uint8Array.of(0)),
    formatDer(DER_SEQUENCE, ...algorithm),
    formatDer(DER_OCTET_STRING, key),
  )
}

type ImportAlgorithm = EcKeyImportParams | RsaHashedImportParams | { name: string }

function algorithmOfPkcs8(der: Uint8Array): ImportAlgorithm {
  const algorithm = derMembers(der)[1]
  const [id, parameters] = derMembers(algorithm)
  const oid = derOid(id)
  const curve = oid === EC ? CURVE_NAMES.get(derOid(parameters)) : undefined
  if (curve !== undefined) return { name: 'ECDSA', namedCurve: curve }
  if (oid === RSA) return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  if (oid === '1.3.101.112') return { name: 'Ed25519' }
  throw unsupported()
}

function algorithmOfJwk({ kty, crv }: PrivateJwk): ImportAlgorithm {
  if (kty === 'EC' && [...CURVE_NAMES.values()].includes(crv as Curve))
    return { name: 'ECDSA', namedCurve: crv as Curve }
  if (kty === 'RSA') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  if (kty === 'OKP' && crv === 'Ed25519') return { name: 'Ed25519' }
  throw unsupported()
}

function unsupported(): SpindleError {
  return new SpindleError(
    'ERR_UNSUPPORTED',
    'the private key has an unsupported algorithm: use ECDSA on P-256, P-384 or P-521, RSA or Ed25519',
  )
}
