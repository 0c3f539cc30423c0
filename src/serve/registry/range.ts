/** Part of a value that a client asked for: both ends included. */
interface ByteRange {
  readonly first: number
  readonly last: number
}

/**
 * A `Range` header over a value of `size` bytes.
 *
 * `undefined` means the whole value: no header, another unit, several ranges (a server may ignore
 * those) or what is no range at all. @see RFC 9110, 14.1.2
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
  // RFC 9110 calls `500-0` invalid, which may be ignored; the conformance suite wants it refused.
  return first >= size || last < first ? 'unsatisfiable' : { first, last }
}

/** Whether `If-None-Match` or `If-Match` names the etag; weak and strong are alike for what never changes. */
export function matchesEtag(header: string | null, etag: string): boolean {
  if (header === null) return false
  if (header.trim() === '*') return true
  return header.split(',').some((entry) => entry.trim().replace(/^W\//, '') === etag)
}

/** `Content-Range: 0-499` of a chunk, without a unit; some clients write `bytes 0-499/*` all the same. */
export function parseChunkRange(header: string): ByteRange | undefined {
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\*|\d+))?$/.exec(header.trim())
  if (match === null) return undefined
  const [first, last] = [Number(match[1]), Number(match[2])]
  return last < first ? undefined : { first, last }
}
