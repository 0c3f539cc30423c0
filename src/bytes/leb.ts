/** Encodes an integer from 0 to 2^32 - 1 as unsigned LEB128. */
export function leb(value: number): number[] {
  const bytes: number[] = []
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left]
    bytes.push((left % 128) | 0x80)
  }
}

/** Encodes a safe integer as signed LEB128. */
export function signedLeb(value: number): number[] {
  const bytes: number[] = []
  for (let left = value; ;) {
    const low = ((left % 128) + 128) % 128
    left = Math.floor(left / 128)
    const isLast = (left === 0 && low < 64) || (left === -1 && low >= 64)
    if (isLast) return [...bytes, low]
    bytes.push(low | 0x80)
  }
}
