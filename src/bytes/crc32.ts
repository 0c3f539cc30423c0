const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** Goes on from `crc`, the value so far. @see PKWARE APPNOTE 6.3.10, 4.4.7 */
export function crc32(bytes: Uint8Array, crc: number = 0): number {
  let value = ~crc
  for (let i = 0; i < bytes.length; i++)
    value = (TABLE[(value ^ (bytes[i] as number)) & 0xff] as number) ^ (value >>> 8)
  return ~value >>> 0
}
