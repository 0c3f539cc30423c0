// `btoa` takes a string; a spread over more arguments than this overflows the stack of some engines.
const CHUNK = 0x8000

/** Standard alphabet, padded. */
export function formatBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let i = 0; i < bytes.length; i += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK))
  }
  return btoa(binary)
}

/** Standard alphabet without `=`, as Spin's lock wants it: its decoder refuses padding. */
export function formatBase64Unpadded(bytes: Uint8Array): string {
  return formatBase64(bytes).replace(/=+$/, '')
}

/**
 * Standard alphabet, padded or not, to bytes; `undefined` when it isn't that.
 * Strict: no white space, no other alphabet, and the unused bits of the last character are zero,
 * so that one byte string has one spelling.
 */
export function parseBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bare = text.length % 4 === 0 ? text.replace(/={1,2}$/, '') : text
  if (bare.length % 4 === 1 || !/^[A-Za-z0-9+/]*$/.test(bare)) return undefined
  const binary = atob(bare)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  if (bare.length % 4 !== 0) {
    const tail = bytes.subarray(bytes.length - (bytes.length % 3))
    if (!bare.endsWith(formatBase64Unpadded(tail))) return undefined
  }
  return bytes
}

/**
 * Bytes of proto3 JSON, as Go's `protojson` reads them: either alphabet but no mixture, line breaks
 * skipped, padding where the text with its line breaks has a multiple of four characters and nowhere
 * else. The unused bits of the last character are zero, which Go does not ask for; `undefined` when it
 * isn't that.
 * @see https://protobuf.dev/programming-guides/json/
 */
export function parseProtoBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bare = text.replace(/[\r\n]/g, '')
  const isPadded = text.length % 4 === 0
  if (isPadded ? bare.length % 4 !== 0 : bare.includes('=')) return undefined
  if (!/[-_]/.test(bare)) return parseBase64(bare)
  return /[+/]/.test(bare) ? undefined : parseBase64(bare.replaceAll('-', '+').replaceAll('_', '/'))
}

/** URL alphabet without padding, as JOSE writes it. */
export function formatBase64Url(bytes: Uint8Array): string {
  return formatBase64Unpadded(bytes).replaceAll('+', '-').replaceAll('/', '_')
}

/** URL alphabet without padding to bytes; `undefined` when it isn't that. */
export function parseBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (/[+/=]/.test(text)) return undefined
  return parseBase64(text.replaceAll('-', '+').replaceAll('_', '/'))
}
