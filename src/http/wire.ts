import { bodyOf } from '../bytes/request-body.ts'

/** Headers in their order, repeated ones apart. Each character of a value is one byte. */
export type HeaderPairs = ReadonlyArray<readonly [name: string, value: string]>

/** What a message is on the wire, as far as `Request` and `Response` can't say it. */
export interface Wire {
  readonly headers: HeaderPairs
  /** Of a request: path and query as they were received. A URL removes `..` and encodes anew. */
  readonly target?: string
  /** Those that came after the body, once it has ended. */
  readonly trailers?: (() => HeaderPairs | undefined) | undefined
  /** Takes the body of a request whose method has none for `Request`. Once. */
  readonly takeBody?: () => ReadableStream<Uint8Array>
  /** Of a request: milliseconds to connect in, and between two pieces of the response. */
  readonly timeouts?: { readonly connect?: number | undefined; readonly idle?: number | undefined }
}

const wires = new WeakMap<Request | Response, Wire>()

/** Says what a message is on the wire. Whoever makes another message of it drops that. */
export function withWire<T extends Request | Response>(message: T, wire: Wire | undefined): T {
  if (wire !== undefined) wires.set(message, wire)
  return message
}

export function wireOf(message: Request | Response): Wire | undefined {
  return wires.get(message)
}

/** A request's body, where `Request` can't carry it too. */
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
 * `Headers` joins what is repeated. It is taken apart again where nobody has changed it since the
 * message was received or made: what a handler in between has set, or removed, counts.
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

/** As `Headers` does. */
function trim(value: string): string {
  return value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '')
}

/** A flat list, as Node has headers, in pairs. */
export function pairsOf(flat: readonly string[]): HeaderPairs {
  return Array.from(
    { length: flat.length / 2 },
    (_, i) => [flat[2 * i] as string, flat[2 * i + 1] as string] as const,
  )
}
