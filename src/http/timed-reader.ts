import { whenAborted } from '../bytes/abort.ts'
import { SpindleError } from '../errors.ts'
import type { DirectResponse } from '../types.ts'

/**
 * The slowest download that is waited for, in bytes a second. Real lines bring more; a server that sends
 * a byte now and then would be read for ever.
 */
export const MIN_RATE = 1024

/**
 * Milliseconds of waiting in which a download must bring its share of {@link MIN_RATE}: longer than
 * registries take to fetch a cold blob from their storage.
 */
export const IDLE_TIMEOUT = 60_000

/** A body's chunks, one read after another. */
export interface TimedReader {
  /**
   * The next chunk, or nothing after the last.
   * @throws `ERR_TIMEOUT` when the server stands still or sends too slowly; the connection is let go.
   */
  readonly next: () => Promise<Uint8Array | undefined>
  /** Lets the connection go. */
  readonly end: () => void
}

/**
 * Reads an answer's body as long as it comes: in each `idleTimeout` spent waiting for the server it must
 * bring as many bytes as {@link MIN_RATE} makes. The time that the reader takes does not count.
 *
 * @param idleTimeout Milliseconds, or `false` for no limit.
 * @param what Names the body in messages, as in `the download of sha256:…`.
 */
export function createTimedReader(
  response: Response,
  idleTimeout: number | false,
  what: string,
  signal: AbortSignal | undefined,
): TimedReader {
  const reader =
    (response as DirectResponse).reader?.() ?? (response.body ?? new Blob().stream()).getReader()
  const limit = idleTimeout === false ? Infinity : idleTimeout
  const share = Math.max(1, (MIN_RATE * limit) / 1000)
  let late: SpindleError | undefined
  // One timer that looks how much came, not one for each of thousands of chunks.
  let timer: ReturnType<typeof setTimeout> | undefined
  let waitingSince: number | undefined
  /** Milliseconds waited, and bytes that came, since the last share was complete. */
  let waited = 0
  let came = 0
  const watch = (milliseconds: number): void => {
    timer = setTimeout(() => {
      timer = undefined
      if (waitingSince === undefined) return
      const left = waitingSince + limit - waited - Date.now()
      if (left > 0) return watch(left)
      late = new SpindleError(
        'ERR_TIMEOUT',
        came === 0
          ? `${what} stood still for ${limit} ms`
          : `${what} brought ${came} bytes in ${limit} ms, less than ${MIN_RATE} a second`,
        { remedy: { option: 'idleTimeout', advice: 'try again, or raise %' } },
      )
      end()
    }, milliseconds)
  }
  const end = (): void => {
    clearTimeout(timer)
    stopWaiting()
    void reader.cancel().catch(() => {})
  }
  const stopWaiting = whenAborted(signal, end)
  return {
    async next() {
      signal?.throwIfAborted()
      const since = (waitingSince = Date.now())
      if (timer === undefined && limit !== Infinity) watch(limit - waited)
      const { done, value } = await reader.read()
      waitingSince = undefined
      if (late !== undefined) throw late
      if (done) return undefined
      came += value.length
      if (came >= share) came = waited = 0
      else waited += Date.now() - since
      return value
    },
    end,
  }
}
