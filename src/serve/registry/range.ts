/** A requested range; both ends are inclusive. */
interface ByteRange {
  readonly first: number
  readonly last: number
}

/**
 * Parses a `Range` header for a value of `size` bytes.
 *
 * `undefined` means the whole value: for no header, another unit, several ranges (which a server is allowed
 * to ignore) or an invalid header. @see RFC 9110, 14.1.2
 */
export function parseRange(
  header: string | null,
  size: number,
): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? '')
  if (match === null) return undefined
  const [, from = '', to = ''] = match
  if (from === '' && to === '') return undefined
  if (from === '') {
    const length = Math.min(Number(to), size)
    return length === 0 ? 'unsatisfiable' : { first: size - length, last: size - 1 }
  }
  const first = Number(from)
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1)
  // RFC 9110 allows ignoring the invalid `500-0`; the conformance suite requires 416.
  return first >= size || last < first ? 'unsatisfiable' : { first, last }
}

/** Whether `If-None-Match` or `If-Match` contains the etag. Ignores weakness: the content is immutable. */
export function matchesEtag(header: string | null, etag: string): boolean {
  if (header === null) return false
  if (header.trim() === '*') return true
  return header.split(',').some((entry) => entry.trim().replace(/^W\//, '') === etag)
}

/** Parses `Content-Range: 0-499` of a chunk, without a unit; some clients send `bytes 0-499/*`. */
export function parseChunkRange(header: string): ByteRange | undefined {
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\*|\d+))?$/.exec(header.trim())
  if (match === null) return undefined
  const [first, last] = [Number(match[1]), Number(match[2])]
  return last < first ? undefined : { first, last }
}
