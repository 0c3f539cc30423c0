import { whenAborted } from '../bytes/abort.ts'
import { MAX_TIMER } from './timing.ts'
import type { ChunkReader } from '../bytes/stream.ts'
import { SpindleError } from '../errors.ts'

/**
 * Default lowest rate of a body, in bytes per second. Real connections are faster; a peer that
 * sends a
 * byte now and then would otherwise be read for ever.
 */
export const MIN_RATE = 1024

/**
 * Milliseconds of waiting in which a download must receive its share of {@link MIN_RATE}: longer than
 * registries take to fetch a blob from cold storage.
 */
export const IDLE_TIMEOUT = 60_000

/** Lowest accepted rate of a body. */
export interface PaceLimits {
  /** Milliseconds; `false` for no limit, `minRate` included. */
  readonly idleTimeout: number | false
  /** Bytes per second; `false` or 0: any byte in `idleTimeout` is enough. */
  readonly minRate: number | false
  /** Names of the caller's options, for messages. Default: these. */
  readonly names?: { readonly idleTimeout: string; readonly minRate: string }
}

/**
 * The limits in options, with their defaults.
 * @throws TypeError for an invalid limit.
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

/** Reads the chunks of a body. */
export interface TimedReader {
  /**
   * The next chunk; `undefined` after the last.
   * @throws `ERR_TIMEOUT` when the server sends nothing or too slowly; the connection is closed.
   */
  readonly next: () => Promise<Uint8Array | undefined>
  /** Closes the connection. */
  readonly end: () => void
}

/**
 * Reads the body of a response with a minimum rate: in each `idleTimeout` spent waiting for the
 * server
 * it must receive `minRate` × `idleTimeout` bytes. Time between reads does not count.
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

/** Like {@link createTimedReader}, for the reader of any body. */
export function timeReads(
  reader: ChunkReader,
  { idleTimeout, minRate, names }: PaceLimits,
  what: string,
  signal?: AbortSignal,
): TimedReader {
  const limit = idleTimeout === false ? Infinity : idleTimeout
  const share = Math.max(1, ((minRate || 0) * limit) / 1000)
  let late: SpindleError | undefined
  // One timer for all chunks, which checks how many bytes were received.
  let timer: ReturnType<typeof setTimeout> | undefined
  let waitingSince: number | undefined
  /** Milliseconds waited and bytes received since the last share was complete. */
  let waited = 0
  let received = 0
  const watch = (milliseconds: number): void => {
    timer = setTimeout(
      () => {
        timer = undefined
        if (waitingSince === undefined) return
        const left = waitingSince + limit - waited - Date.now()
        if (left > 0) return watch(left)
        late =
          received === 0
            ? new SpindleError('ERR_TIMEOUT', `${what} received nothing for ${limit} ms`, {
                remedy: {
                  option: names?.idleTimeout ?? 'idleTimeout',
                  advice: 'try again, or raise %',
                },
              })
            : new SpindleError(
                'ERR_TIMEOUT',
                `${what} received ${received} bytes in ${limit} ms, less than ${minRate} per second`,
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
        // A cancelled read can end in any way.
        throw late ?? error
      })
      waitingSince = undefined
      if (late !== undefined) throw late
      if (done) return undefined
      received += value.length
      if (received >= share) received = waited = 0
      else waited += Date.now() - since
      return value
    },
    end,
  }
}

/**
 * The body of a response as a stream, read as by {@link createTimedReader}. Errors with `ERR_NETWORK`
 * when the connection breaks. Cancelling closes the connection.
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
          throw new SpindleError('ERR_NETWORK', `${what} was interrupted; try again`, { cause })
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
}
