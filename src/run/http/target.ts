import { wireOf } from '../../http/wire.ts'

/** Where a request goes within its application. */
interface RequestTarget {
  readonly path: string
  /** Without `?`. */
  readonly query: string
  readonly whole: string
}

/** Path and query as they were received where that is known: a URL removes `..` and encodes anew. */
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
