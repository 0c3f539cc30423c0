import { whenAborted } from '../bytes/abort.ts'
import { MAX_TIMER } from './timing.ts'
import type { ChunkReader } from '../bytes/stream.ts'
import { SpindleError } from '../errors.ts'

/**
 * The slowest body that is waited for, in bytes per second. Real lines bring more; a peer that sends
 * a byte now and then would be read for ever.
 */
export const MIN_RATE = 1024

/**
 * Milliseconds of waiting in which a download must bring its share of {@link MIN_RATE}: longer than
 * registries take to fetch a cold blob from their storage.
 */
export const IDLE_TIMEOUT = 60_000

/** How slowly a body may come. */
export interface PaceLimits {
  /** Milliseconds; `false` for no limit, `minRate` included. */
  readonly idleTimeout: number | false
  /** Bytes per second; `false` or 0: any byte in `idleTimeout` is enough. */
  readonly minRate: number | false
  /** What the caller's options are called, for messages. Default: as here. */
  readonly names?: { readonly idleTimeout: string; readonly minRate: string }
}

/**
 * The limits that options give, with their defaults.
 * @throws TypeError for an option that is no such limit.
 */
export function paceLimitsOf({
  idleTimeout = IDLE_TIMEOUT,
  minRate = MIN_RATE,
}: {
  readonly idleTimeout?: number | false | undefined
  readonly minRate?: number | false | undefined
}): PaceLimits {
  if (idleTimeout !== false && !(typeof idleTimeout === 'number' && idleTimeout > 0))
    throw new TypeError(`"idleTimeout" must be milliseconds or false, not ${idleTimeout}`)
  if (minRate !== false && !(typeof minRate === 'number' && minRate >= 0 && minRate < Infinity))
    throw new TypeError(`"minRate" must be bytes per second or false, not ${minRate}`)
  return { idleTimeout, minRate }
}

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
 * bring as many bytes as `minRate` makes. The time that the reader takes does not count.
 *
 * @param what Names the body in messages, as in `the download of sha256:…`.
 */
export function createTimedReader(
  response: Response,
  limits: PaceLimits,
  what: string,
  signal: AbortSignal | undefined,
): TimedReader {
  const body = response.body ?? new Blob().stream()
  return timeReads(body.getReader(), limits, what, signal)
}

/** As {@link createTimedReader}, for the reader of any body. */
export function timeReads(
  reader: ChunkReader,
  { idleTimeout, minRate, names }: PaceLimits,
  what: string,
  signal?: AbortSignal,
): TimedReader {
  const limit = idleTimeout === false ? Infinity : idleTimeout
  const share = Math.max(1, ((minRate || 0) * limit) / 1000)
  let late: SpindleError | undefined
  // One timer that looks how much came, not one for each of thousands of chunks.
  let timer: ReturnType<typeof setTimeout> | undefined
  let waitingSince: number | undefined
  /** Milliseconds waited, and bytes that came, since the last share was complete. */
  let waited = 0
  let came = 0
  const watch = (milliseconds: number): void => {
    timer = setTimeout(
      () => {
        timer = undefined
        if (waitingSince === undefined) return
        const left = waitingSince + limit - waited - Date.now()
        if (left > 0) return watch(left)
        late =
          came === 0
            ? new SpindleError('ERR_TIMEOUT', `${what} stood still for ${limit} ms`, {
                remedy: {
                  option: names?.idleTimeout ?? 'idleTimeout',
                  advice: 'try again, or raise %',
                },
              })
            : new SpindleError(
                'ERR_TIMEOUT',
                `${what} brought ${came} bytes in ${limit} ms, less than ${minRate} per second`,
                {
                  remedy: { option: names?.minRate ?? 'minRate', advice: 'try again, or lower %' },
                },
              )
        end()
      },
      Math.min(milliseconds, MAX_TIMER),
    )
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
      const { done, value } = await reader.read().catch((error: unknown) => {
        // What was given up may end in any way.
        throw late ?? error
      })
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

/**
 * An answer's body as a stream, read as {@link createTimedReader} does. It errors with `ERR_NETWORK`
 * where the connection breaks; cancelled, read or not, it lets the connection go.
 */
export function streamInTime(
  response: Response,
  limits: PaceLimits,
  what: string,
  signal?: AbortSignal,
): ReadableStream<Uint8Array> {
  const { next, end } = createTimedReader(response, limits, what, signal)
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const chunk = await next()
          if (chunk !== undefined) return controller.enqueue(chunk)
          end()
          controller.close()
        } catch (cause) {
          end()
          signal?.throwIfAborted()
          if (cause instanceof SpindleError) throw cause
          throw new SpindleError('ERR_NETWORK', `${what} broke off; try again`, { cause })
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
}
