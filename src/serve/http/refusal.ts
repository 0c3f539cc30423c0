import type { RegistryErrorCode } from '../../oci/error-codes.ts'

interface RefusalEntry {
  readonly code: RegistryErrorCode
  readonly message: string
  readonly detail?: unknown
}

/** An error response of the registry API: thrown anywhere below the handler, which answers with it. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly entries: readonly RefusalEntry[]
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    entries: RefusalEntry | readonly RefusalEntry[],
    options: { headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    const list = Array.isArray(entries)
      ? (entries as readonly RefusalEntry[])
      : [entries as RefusalEntry]
    super(list.map(({ code, message }) => `${code}: ${message}`).join('; '), {
      cause: options.cause,
    })
    this.status = status
    this.entries = list
    this.headers = options.headers ?? {}
  }
}

/** 405 for a method that a path does not have. @param allow Methods of the path, as in `Allow`. */
export function methodNotAllowed(allow: string): Refusal {
  return new Refusal(
    405,
    { code: 'UNSUPPORTED', message: `method not allowed (allowed: ${allow})` },
    { headers: { Allow: `${allow}, OPTIONS` } },
  )
}

/** Formats the error response. @see OCI Distribution Spec 1.1, Error Codes */
export function answerRefusal({ status, entries, headers }: Refusal): Response {
  return new Response(JSON.stringify({ errors: entries }), {
    status,
    // Not cacheable: the next push or login can change the answer.
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers },
  })
}
