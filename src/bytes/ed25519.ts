import type * as Noble from '@noble/ed25519'

/** Loaded for keys that the engine cannot use, and to derive public keys. */
function loadNoble(): Promise<typeof Noble> {
  return import('@noble/ed25519')
}

/** A signing key that never leaves this object. */
export interface Ed25519Key {
  /** 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>
  /** 64 bytes, deterministic. @see RFC 8032, 5.1.6 */
  readonly sign: (message: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>
}

/** Whether the engine has Ed25519 in WebCrypto; older Chromium and Safari don't. Asked once. */
let native: Promise<boolean> | undefined
function hasNative(): Promise<boolean> {
  native ??= crypto.subtle.importKey('raw', BASE_POINT, 'Ed25519', false, ['verify']).then(
    () => true,
    () => false,
  )
  return native
}

interface Ed25519Options {
  /** Default: WebCrypto where the engine has the algorithm, else `@noble/ed25519`. */
  engine?: 'webcrypto' | 'noble'
}

async function usesNative(options: Ed25519Options): Promise<boolean> {
  return options.engine === undefined ? hasNative() : options.engine === 'webcrypto'
}

// PKCS#8 header of an Ed25519 seed. @see RFC 8410, 7
const PKCS8 = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
])
const BASE_POINT = new Uint8Array(32).fill(0x66)
BASE_POINT[0] = 0x58

/** Opens a 32-byte seed. */
export async function createEd25519Key(
  seed: Uint8Array,
  options: Ed25519Options = {},
): Promise<Ed25519Key> {
  if (seed.length !== 32) throw new TypeError(`an Ed25519 seed has 32 bytes, not ${seed.length}`)
  const own = Uint8Array.from(seed)
  const noble = await loadNoble()
  const publicKey = Uint8Array.from(await noble.getPublicKeyAsync(own))
  const key = (await usesNative(options)) ? await importSeed(own) : undefined
  return {
    publicKey,
    sign: async (message) =>
      key === undefined
        ? Uint8Array.from(await noble.signAsync(message, own))
        : new Uint8Array(
            await crypto.subtle.sign('Ed25519', key, message as Uint8Array<ArrayBuffer>),
          ),
  }
}

/** `undefined` where the engine refuses the seed: WebKit refuses those that begin with a zero. */
function importSeed(seed: Uint8Array): Promise<CryptoKey | undefined> {
  const pkcs8 = new Uint8Array(PKCS8.length + seed.length)
  pkcs8.set(PKCS8)
  pkcs8.set(seed, PKCS8.length)
  return crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign']).catch(() => undefined)
}

/**
 * Verifies strictly, with the same answer on every engine: engines differ in what they let pass of
 * small-order points and non-canonical encodings, so those are refused before one is asked.
 * @see RFC 8032, 5.1.7, and ed25519-dalek's `verify_strict`
 */
export async function verifyEd25519(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
  options: Ed25519Options = {},
): Promise<boolean> {
  if (signature.length !== 64 || publicKey.length !== 32) return false
  const r = signature.subarray(0, 32)
  if (!isStrictPoint(publicKey) || !isStrictPoint(r)) return false
  if (!isBelow(signature.subarray(32), GROUP_ORDER)) return false
  const key = (await usesNative(options)) ? await importPoint(publicKey) : undefined
  const verified =
    key === undefined
      ? (await loadNoble()).verifyAsync(signature, message, publicKey, { zip215: false })
      : crypto.subtle.verify(
          'Ed25519',
          key,
          signature as Uint8Array<ArrayBuffer>,
          message as Uint8Array<ArrayBuffer>,
        )
  return verified.catch(() => false)
}

/** `undefined` where the engine refuses it: WebKit refuses points that begin with a zero. */
function importPoint(publicKey: Uint8Array): Promise<CryptoKey | undefined> {
  return crypto.subtle
    .importKey('raw', publicKey as Uint8Array<ArrayBuffer>, 'Ed25519', false, ['verify'])
    .catch(() => undefined)
}

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))
}

const FIELD_PRIME = (1n << 255n) - 19n
const PRIME_BYTES = littleEndian(FIELD_PRIME)
const GROUP_ORDER = littleEndian((1n << 252n) + 27742317777372353535851937790883648493n)

// The y-coordinates of the eight points whose order divides 8; the sign of x is left out.
const SMALL_ORDER_Y: readonly Uint8Array[] = [
  0n,
  1n,
  FIELD_PRIME - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
].map(littleEndian)

/** Canonically encoded and not of small order. */
function isStrictPoint(encoded: Uint8Array): boolean {
  const y = Uint8Array.from(encoded)
  y[31] = (y[31] as number) & 0x7f
  return (
    isBelow(y, PRIME_BYTES) &&
    !SMALL_ORDER_Y.some((small) => small.every((byte, i) => byte === y[i]))
  )
}

/** Little-endian comparison. Public values only: not constant in time. */
function isBelow(value: Uint8Array, limit: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (value[i] as number) - (limit[i] as number)
    if (difference !== 0) return difference < 0
  }
  return false
}
