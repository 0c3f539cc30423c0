/** Bytes in hexadecimal that are shown of what is no text. */
const HEX_BYTES = 256

/** As text where it is text, indented where it is JSON, else its beginning in hexadecimal. */
export function formatBody(pieces: readonly Uint8Array[], type: string): string {
  const text = readText(pieces)
  if (text === undefined) return formatHex(pieces)
  if (!/\bjson\b/.test(type)) return text
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    // Cut off, or not what it says: as it is, then.
    return text
  }
}

/** `undefined` for what is no UTF-8. A sign that is cut off at the end does no harm. */
export function readText(pieces: readonly Uint8Array[]): string | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    const text = pieces.map((piece) => decoder.decode(piece, { stream: true })).join('')
    return /(?![\t\n\v\f\r])\p{Cc}/u.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

export function formatHex(pieces: readonly Uint8Array[]): string {
  const bytes: number[] = []
  for (const piece of pieces) bytes.push(...piece.subarray(0, HEX_BYTES - bytes.length))
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 16)
    lines.push(
      bytes
        .slice(at, at + 16)
        .map((byte) => byte.toString(16).padStart(2, '0'))
        .join(' '),
    )
  return lines.join('\n')
}
