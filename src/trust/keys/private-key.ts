/** Private keys: made, read and written. The encrypted form of cosign is in `cosign-key.ts`. */
import {
  derOid,
  DER_NULL,
  DER_OCTET_STRING,
  DER_SEQUENCE,
  formatDer,
  formatDerInteger,
  formatDerOid,
  derMembers,
} from '../../bytes/der.ts'
import { formatPem, parsePem } from '../../bytes/pem.ts'
import { SpindleError } from '../../errors.ts'
import type { WebKey } from './public-key.ts'

export interface WebKeyPair {
  readonly privateKey: WebKey
  readonly publicKey: WebKey
}

/** A JSON Web Key, private half. @see https://www.rfc-editor.org/rfc/rfc7517 */
export interface PrivateJwk {
  readonly kty: string
  readonly d?: string
  readonly [member: string]: unknown
}

export type Curve = 'P-256' | 'P-384' | 'P-521'

const EC = '1.2.840.10045.2.1'
const RSA = '1.2.840.113549.1.1.1'
const CURVE_NAMES: ReadonlyMap<string, Curve> = new Map([
  ['1.2.840.10045.3.1.7', 'P-256'],
  ['1.3.132.0.34', 'P-384'],
  ['1.3.132.0.35', 'P-521'],
])

/**
 * A fresh key pair.
 *
 * Exported from the main entry point and `spindle/sign`.
 *
 * @example Keep both halves as files
 * ```ts
 * const pair = await generateKeyPair()
 * const files = { 'app.key': await formatPrivateKey(pair.privateKey), 'app.pub': await formatPublicKey(pair.publicKey) }
 * ```
 * @param options.curve Default `P-256`: released versions of cosign can't verify their own signatures on the others.
 * @param options.extractable Whether the private half may be exported. Default true.
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
 * A private key from PEM (`PRIVATE KEY`, `EC PRIVATE KEY`, `RSA PRIVATE KEY`), PKCS#8 DER or a JWK.
 *
 * Exported from `spindle/sign`. For a password-protected `cosign.key`
 * see `importCosignKey` in `spindle/cosign-key`.
 *
 * @param options.extractable Whether the key may be exported again. Default true: the public half is derived that way.
 * @throws `ERR_CONTENT_INVALID`, `ERR_UNSUPPORTED`.
 */
export async function importPrivateKey(
  input: string | Uint8Array | PrivateJwk,
  options: { extractable?: boolean } = {},
): Promise<WebKey> {
  const { extractable = true } = options
  if (typeof input === 'string') return importPkcs8(pkcs8OfPem(input), extractable)
  if (input instanceof Uint8Array) return importPkcs8(input, extractable)
  const algorithm = algorithmOfJwk(input)
  return undamaged(
    crypto.subtle.importKey('jwk', input as JsonWebKey, algorithm, extractable, ['sign']),
  )
}

/** @internal PKCS#8 alone. */
export async function importPkcs8(der: Uint8Array, extractable: boolean): Promise<WebKey> {
  const algorithm = algorithmOfPkcs8(der)
  return undamaged(
    crypto.subtle.importKey('pkcs8', der as Uint8Array<ArrayBuffer>, algorithm, extractable, [
      'sign',
    ]),
  )
}

async function undamaged(key: Promise<WebKey>): Promise<WebKey> {
  try {
    return await key
  } catch (cause) {
    // The engine's own words stay in the cause: some quote what they were given.
    throw new SpindleError('ERR_CONTENT_INVALID', 'the private key is damaged', { cause })
  }
}

/** The public half, from the private one if that may be exported. */
export async function publicKeyOfPrivate(key: WebKey): Promise<WebKey> {
  assertExtractable(key, 'hand over the pair, so that its public half is known')
  const jwk = await crypto.subtle.exportKey('jwk', key as CryptoKey)
  const { kty, crv, x, y, n, e } = jwk
  const half = Object.fromEntries(
    Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined),
  )
  return crypto.subtle.importKey('jwk', half, key.algorithm as Algorithm, true, ['verify'])
}

/** PKCS#8 PEM, unencrypted. Keep it where secrets are kept. */
export async function formatPrivateKey(key: WebKey): Promise<string> {
  return formatPem('PRIVATE KEY', await exportPkcs8(key))
}

/** @internal PKCS#8 DER. */
export async function exportPkcs8(key: WebKey): Promise<Uint8Array> {
  assertExtractable(key, 'make it so that it is, to write it')
  return new Uint8Array(await crypto.subtle.exportKey('pkcs8', key as CryptoKey))
}

function assertExtractable(key: WebKey, otherwise: string): void {
  if (key.type !== 'private') throw new TypeError('a private key is needed')
  if (!key.extractable) throw new TypeError(`the private key is not extractable: ${otherwise}`)
}

/** SPKI PEM, as `cosign.pub` has it. */
export async function formatPublicKey(key: WebKey): Promise<string> {
  return formatPem(
    'PUBLIC KEY',
    new Uint8Array(await crypto.subtle.exportKey('spki', key as CryptoKey)),
  )
}

function pkcs8OfPem(pem: string): Uint8Array {
  // Headers within a block are of before PKCS#8, and so is what they say it is encrypted by.
  if (/^Proc-Type:.*ENCRYPTED/m.test(pem)) throw locked('encrypted')
  const blocks = parsePem(pem, 'the private key')
  const block = blocks.find(({ label }) => label.endsWith('PRIVATE KEY')) ?? blocks[0]
  switch (block?.label) {
    case 'PRIVATE KEY':
      return block.bytes
    case 'RSA PRIVATE KEY':
      return wrap(block.bytes, formatDerOid(RSA), formatDer(DER_NULL))
    case 'EC PRIVATE KEY': {
      // The curve stands in the key's own [0] and moves to the algorithm. RFC 5915, 3
      const parameters = derMembers(block.bytes).find(({ tag }) => tag === 0xa0)
      if (parameters === undefined)
        throw new SpindleError('ERR_CONTENT_INVALID', 'the EC private key names no curve')
      return wrap(block.bytes, formatDerOid(EC), parameters.value)
    }
    case 'ENCRYPTED SIGSTORE PRIVATE KEY':
    case 'ENCRYPTED COSIGN PRIVATE KEY':
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        'the key is encrypted as cosign does: read it with importCosignKey of spindle/cosign-key',
      )
    default:
      if (block?.label.endsWith('PRIVATE KEY')) throw locked(block.label)
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `a "PRIVATE KEY" block is needed, not "${block?.label}": give the private half of the pair`,
      )
  }
}

function locked(what: string): SpindleError {
  return new SpindleError(
    'ERR_UNSUPPORTED',
    `the private key is "${what}"; write it again as PKCS#8 without a password: openssl pkcs8 -topk8 -nocrypt, or ssh-keygen -p -m PKCS8`,
  )
}

/** @see https://www.rfc-editor.org/rfc/rfc5208#section-5 */
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
    'private keys are ECDSA on P-256, P-384 or P-521, RSA or Ed25519',
  )
}
