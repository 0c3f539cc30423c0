import { formatToml } from '../../bytes/toml.ts'
import { encodeUtf8 } from '../../bytes/text.ts'

/** An error response: a status and the message of the reference server, which clients match on. */
export class BindleProblem extends Error {
  override readonly name = 'BindleProblem'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Message of a 404, as of the reference server. */
export const NOT_FOUND =
  'resource not found: if an item does not appear in our records, it does not exist!'

/**
 * Like the reference server: the first type in `Accept` with the subtype `toml` or `json`, regardless of
 * quality values; TOML if there is none.
 */
function prefersJson(request: Request): boolean {
  for (const part of (request.headers.get('accept') ?? '').split(',')) {
    const subtype = /^\s*[\w*.+-]+\/([\w*.-]+)/.exec(part)?.[1]?.toLowerCase()
    if (subtype === 'toml') return false
    if (subtype === 'json') return true
  }
  return false
}

/** Responds with a document in the type that the client accepts. */
export function documentAnswer(
  request: Request,
  status: number,
  document: { readonly [key: string]: unknown },
): Response {
  const json = prefersJson(request)
  return bytesAnswer(
    request,
    status,
    json ? encodeUtf8(JSON.stringify(document)) : formatToml(document),
    json ? 'application/json' : 'application/toml',
  )
}

/** Longest message in characters: some messages quote the request, which can have megabytes. */
const MAX_MESSAGE_LENGTH = 2000

/** Responds with an error. Always TOML, because clients of the reference server rely on it. */
export function errorAnswer(request: Request, status: number, message: string): Response {
  const error = message.slice(0, MAX_MESSAGE_LENGTH)
  return bytesAnswer(request, status, formatToml({ error }), 'application/toml')
}

/** Responds with plain text. */
export function textAnswer(request: Request, status: number, text: string): Response {
  return bytesAnswer(request, status, encodeUtf8(text), 'text/plain; charset=utf-8')
}

function bytesAnswer(
  request: Request,
  status: number,
  bytes: Uint8Array<ArrayBuffer>,
  type: string,
): Response {
  return new Response(request.method === 'HEAD' ? null : bytes, {
    status,
    headers: {
      'content-type': type,
      'content-length': String(bytes.length),
      // Not cacheable: a missing or refused invoice can be available later, and an available one yanked.
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
  })
}
