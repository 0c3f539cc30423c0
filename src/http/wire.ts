import { bodyOf } from '../bytes/request-body.ts'

/** Headers in their order, repeated ones separate. Each character of a value is one byte. */
export type HeaderPairs = ReadonlyArray<readonly [name: string, value: string]>

/** Properties of a message on the wire that `Request` and `Response` can't represent. */
export interface Wire {
  readonly headers: HeaderPairs
  /** Path and query of a request, as received. A URL removes `..` and changes the encoding. */
  readonly target?: string
  /** Trailers, after the body has ended. */
  readonly trailers?: (() => HeaderPairs | undefined) | undefined
  /** Takes the body of a request whose method can't have one in `Request`. Once. */
  readonly takeBody?: () => ReadableStream<Uint8Array>
  /** Timeouts of a request in milliseconds: to connect, and between two chunks of the response. */
  readonly timeouts?: { readonly connect?: number | undefined; readonly idle?: number | undefined }
}

const wires = new WeakMap<Request | Response, Wire>()

/** Attaches wire properties to a message. A message made from it does not have them. */
export function withWire<T extends Request | Response>(message: T, wire: Wire | undefined): T {
  if (wire !== undefined) wires.set(message, wire)
  return message
}

/** The wire properties of a message, if it has any. */
export function wireOf(message: Request | Response): Wire | undefined {
  return wires.get(message)
}

/** The body of a request, including one that `Request` can't carry. */
export function takeRequestBody(request: Request): ReadableStream<Uint8Array> | null {
  return wires.get(request)?.takeBody?.() ?? bodyOf(request)
}

/** The same response with another body. */
export function withBody(
  response: Response,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): Response {
  const { status, headers } = response
  return withWire(new Response(body, { status, headers }), wireOf(response))
}

/**
 * A message's headers, their names in lower case.
 *
 * `Headers` joins repeated headers. They are separated again unless they were changed since the
 * message was received or created: changes of handlers take precedence.
 */
export function exactHeaders(message: Request | Response): HeaderPairs {
  const joined = [...message.headers]
  const sent = wires.get(message)?.headers
  if (sent === undefined) return joined
  const values = new Map<string, string[]>()
  const pairs = sent.map(([name, value]) => [name.toLowerCase(), value] as const)
  for (const [name, value] of pairs) {
    const before = values.get(name)
    if (before === undefined) values.set(name, [value])
    else before.push(value)
  }
  const now = new Map<string, string[]>()
  for (const [name, value] of joined) now.set(name, [...(now.get(name) ?? []), value])
  const isUnchanged = (name: string): boolean => {
    const before = values.get(name) ?? []
    const separator = name === 'cookie' ? '; ' : ', '
    return before.map(trim).join(separator) === now.get(name)?.join(separator)
  }
  const kept = new Set([...values.keys()].filter(isUnchanged))
  return [
    ...pairs.filter(([name]) => kept.has(name)),
    ...joined.filter(([name]) => !kept.has(name)),
  ]
}

/** Trims like `Headers`. */
function trim(value: string): string {
  return value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '')
}

/** Pairs of a flat list, Node's form of headers. */
export function pairsOf(flat: readonly string[]): HeaderPairs {
  return Array.from(
    { length: flat.length / 2 },
    (_, i) => [flat[2 * i] as string, flat[2 * i + 1] as string] as const,
  )
}
