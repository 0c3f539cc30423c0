/**
 * Connections that browsers open to one host over HTTP/1.1. Further requests wait while their
 * timeouts run.
 */
const CONNECTIONS_OF_PAGES = 6

/** Properties of the runtime. Detected by features, never by name. */
export interface Platform {
  /**
   * Browser `fetch` (opaque redirects, CORS): hides redirects and reasons of failures, and does not
   * stream request bodies over HTTP/1.1. Detected by a header that scripts cannot set.
   */
  readonly isBrowser: boolean
  /** Requests to one host that are sent at once; absent: no limit. */
  readonly connections?: number
  /** Origin of the page or worker; absent outside browsers. */
  readonly origin?: string
  /** Cloudflare Workers: needed to send a stream with a `Content-Length`. */
  readonly FixedLengthStream?: FixedLengthStreamConstructor
}

/** The global `FixedLengthStream` of Cloudflare Workers. */
export interface FixedLengthStreamConstructor {
  new (length: number): {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
  }
}

/** Detects the runtime. */
export function detectPlatform(): Platform {
  const { FixedLengthStream, location } = globalThis as {
    FixedLengthStream?: FixedLengthStreamConstructor
    location?: { readonly origin?: string }
  }
  const probe = new Request('http://localhost/', { headers: { 'accept-charset': 'x' } })
  const isBrowser = !probe.headers.has('accept-charset')
  return {
    isBrowser,
    ...(isBrowser && { connections: CONNECTIONS_OF_PAGES }),
    ...(isBrowser && location?.origin !== undefined && { origin: location.origin }),
    ...(FixedLengthStream !== undefined && { FixedLengthStream }),
  }
}
