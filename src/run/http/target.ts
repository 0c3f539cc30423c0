import { wireOf } from '../../http/wire.ts'

/** Path and query of a request within its application. */
interface RequestTarget {
  readonly path: string
  /** Without `?`. */
  readonly query: string
  readonly whole: string
}

/** Path and query as received, if known: parsing a URL removes `..` and normalizes the encoding. */
export function requestTarget(request: Request): RequestTarget {
  const received = wireOf(request)?.target
  if (received === undefined) {
    const { pathname, search } = new URL(request.url)
    return { path: pathname, query: search.slice(1), whole: pathname + search }
  }
  const at = received.indexOf('?')
  return at === -1
    ? { path: received, query: '', whole: received }
    : { path: received.slice(0, at), query: received.slice(at + 1), whole: received }
}
