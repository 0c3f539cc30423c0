/** Waiting for a person to confirm a device code. @see https://www.rfc-editor.org/rfc/rfc8628#section-3.5 */
import { wait } from './timing.ts'

/** Seconds between two questions where the issuer names none, and what `slow_down` adds. RFC 8628, 3.2 and 3.5. */
const DEFAULT_INTERVAL = 5
const SLOW_DOWN = 5

/** Seconds: below that, the questions would flood the issuer, whatever interval it names. */
const MIN_INTERVAL = 1
/** Seconds: a longer interval would hold the login beyond the end of its code. */
const MAX_INTERVAL = 60
/** Seconds of a login in all: no issuer's codes last longer, and none may hold a login for ever. */
const MAX_LIFETIME = 1800

/** Seconds that a code is waited for, of those that its issuer names. */
export function lifetimeOf(expiresIn: number): number {
  return Math.min(expiresIn, MAX_LIFETIME)
}

interface DeviceCodePoll<T> {
  /** Seconds that the code lasts. */
  readonly expiresIn: number
  /** Seconds between two questions, as the issuer wants them. */
  readonly interval: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Seconds to wait, for tests. Default: real time. */
  readonly wait?: ((seconds: number, signal?: AbortSignal) => Promise<void>) | undefined
  /** Asks once. */
  readonly ask: () => Promise<T>
  /** The `error` of an answer. */
  readonly errorOf: (answer: T) => unknown
}

/** Asks until the answer is another than "not yet". Resolves with `undefined` when the code has expired. */
export async function pollDeviceCode<T>(poll: DeviceCodePoll<T>): Promise<T | undefined> {
  const { signal, wait: pause = (seconds, stop) => wait(seconds * 1000, stop) } = poll
  const lifetime = lifetimeOf(poll.expiresIn)
  let interval = poll.interval ?? DEFAULT_INTERVAL
  // By the clock too: each question takes its time.
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
