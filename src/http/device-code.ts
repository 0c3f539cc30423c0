/**
 * Polling for the confirmation of a device code.
 * @see https://www.rfc-editor.org/rfc/rfc8628#section-3.5
 */
import { wait } from './timing.ts'

/**
 * Default seconds between two polls, and the seconds that `slow_down` adds. RFC 8628, 3.2 and 3.5.
 */
const DEFAULT_INTERVAL = 5
const SLOW_DOWN = 5

/** Shortest interval in seconds, whatever the issuer specifies. */
const MIN_INTERVAL = 1
/** Longest interval in seconds: a longer one would outlast the code. */
const MAX_INTERVAL = 60
/** Longest lifetime of a code in seconds. No known issuer's codes last longer. */
const MAX_LIFETIME = 1800

/** Seconds to poll for a code with the given lifetime. */
export function lifetimeOf(expiresIn: number): number {
  return Math.min(expiresIn, MAX_LIFETIME)
}

interface DeviceCodePoll<T> {
  /** Lifetime of the code in seconds. */
  readonly expiresIn: number
  /** Seconds between two polls, from the issuer. */
  readonly interval: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Replaces the timer in tests. Default: real time. */
  readonly wait?: ((seconds: number, signal?: AbortSignal) => Promise<void>) | undefined
  /** Polls once. */
  readonly ask: () => Promise<T>
  /** The `error` of a response. */
  readonly errorOf: (answer: T) => unknown
}

/**
 * Polls until the user has decided. Resolves with the response, or `undefined` when the code has
 * expired.
 */
export async function pollDeviceCode<T>(poll: DeviceCodePoll<T>): Promise<T | undefined> {
  const { signal, wait: pause = (seconds, stop) => wait(seconds * 1000, stop) } = poll
  const lifetime = lifetimeOf(poll.expiresIn)
  let interval = poll.interval ?? DEFAULT_INTERVAL
  // Limited by the clock too, as polls take time.
  const ends = Date.now() + lifetime * 1000
  for (let waited = 0; waited < lifetime && Date.now() < ends;) {
    const seconds = Math.min(Math.max(interval, MIN_INTERVAL), MAX_INTERVAL)
    await pause(seconds, signal)
    waited += seconds
    const answer = await poll.ask()
    const error = poll.errorOf(answer)
    if (error === 'slow_down') interval += SLOW_DOWN
    else if (error === 'expired_token') return undefined
    else if (error !== 'authorization_pending') return answer
  }
  return undefined
}
