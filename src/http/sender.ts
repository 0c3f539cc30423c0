import type { BodySource, FetchLike } from '../types.ts'
import type { TimeLimits } from './timing.ts'

/** A request in its parts. A `Request` has the same members. */
export interface OutgoingRequest extends TimeLimits {
  readonly method: string
  readonly headers: Request['headers']
  readonly body?: BodySource | null
  readonly redirect: 'follow' | 'manual' | 'error'
  /** Called with the `Authorization` that a proxy is sent, so that no message shows it. */
  readonly onProxyAuthorization?: (value: string) => void
}

/**
 * Sends one request without a `Request`: with many small blobs, to make one, its signal and its body's
 * stream takes a third of a push and a fifth of a pull (CPU time of 2000 blobs of 10 KiB, measured in
 * Node). It keeps the deadline itself, and removes content codings of the response.
 */
export type Sender = (url: URL, request: OutgoingRequest) => Promise<Response>

/** Beside the function, so that nobody but the transport sees it. */
const senders = new WeakMap<FetchLike, Sender>()

/** Gives the transport a sender to use where it is given this `fetch`. */
export function setSender(fetch: FetchLike, sender: Sender): void {
  senders.set(fetch, sender)
}

/** The sender of a `fetch` that has one. */
export function senderOf(fetch: FetchLike): Sender | undefined {
  return senders.get(fetch)
}
