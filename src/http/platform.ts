/** What browsers open to one host over HTTP/1.1; further requests wait, and their timeouts run. */
const CONNECTIONS_OF_PAGES = 6

/** What the core must know of where it runs. Detected by what is there, never by a name. */
export interface Platform {
  /**
   * Browsers hide redirects and the reason of failures, and stream no bodies over HTTP/1.1; they
   * are known by the headers that they keep scripts from setting.
   */
  readonly guarded: boolean
  /** Requests that are sent to one host at once; absent: as many as there are. */
  readonly connections?: number
  /** The page's or worker's own origin; absent outside browsers. */
  readonly origin?: string
  /** Workers send a stream with a known length only through this. */
  readonly FixedLengthStream?: FixedLengthStreamConstructor
}

export interface FixedLengthStreamConstructor {
  new (length: number): {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
  }
}

export function detectPlatform(): Platform {
  const { FixedLengthStream, location } = globalThis as {
    FixedLengthStream?: FixedLengthStreamConstructor
    location?: { readonly origin?: string }
  }
  const probe = new Request('http://localhost/', { headers: { 'accept-charset': 'x' } })
  const guarded = !probe.headers.has('accept-charset')
  return {
    guarded,
    ...(guarded && { connections: CONNECTIONS_OF_PAGES }),
    ...(guarded && location?.origin !== undefined && { origin: location.origin }),
    ...(FixedLengthStream !== undefined && { FixedLengthStream }),
  }
}
