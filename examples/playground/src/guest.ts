import { SpindleError, type ErrorCode } from 'spindle/errors'
import { receiveResponse, type WireRequest } from './channel.ts'
import type { FromGuest, LogLine, StartMessage, ToGuest } from './guest-messages.ts'
import { GUEST_WORKER, ownScript } from './own-scripts.ts'

/** Milliseconds without a sign of life after which a guest that is asked something is ended. */
export const STUCK_AFTER = 10_000
const PING_EVERY = 1000

export interface GuestEvents {
  readonly onLog: (line: LogLine) => void
  /** Whether an origin that the manifest allows may be reached. */
  readonly onOutbound: (origin: string) => Promise<boolean>
  /** The application stored a value or deleted one. */
  readonly onStored: () => void
  /** It ended by itself, or was ended because nothing came from it any more. */
  readonly onEnded: (why: SpindleError) => void
}

export interface Guest {
  /** Rejects with why it was ended, for all that are under way. */
  fetch(request: WireRequest): Promise<Response>
}

/**
 * Rejects with the application's own error when it can't run, as when a variable is missing.
 * @param signal Ends it at once, whatever it is doing.
 */
export async function startGuest(
  start: Omit<StartMessage, 'kind'>,
  { onLog, onOutbound, onStored, onEnded }: GuestEvents,
  signal: AbortSignal,
): Promise<Guest> {
  signal.throwIfAborted()
  const worker = new Worker(ownScript(GUEST_WORKER), { type: 'module' })
  const post = (message: ToGuest, transfer: Transferable[] = []): void =>
    worker.postMessage(message, transfer)
  const ended = new AbortController()
  let waiting = 0
  /** When it was asked for a sign of life that has not come yet. */
  let askedAt: number | undefined
  let timer: ReturnType<typeof setInterval> | undefined

  const stop = (why: unknown): void => {
    clearInterval(timer)
    worker.terminate()
    ended.abort(why)
  }
  const end = (code: ErrorCode, message: string): void => {
    const why = new SpindleError(code, message)
    stop(why)
    onEnded(why)
  }
  const watch = (): void => {
    timer ??= setInterval(() => {
      if (askedAt === undefined) {
        askedAt = performance.now()
        return post({ kind: 'ping' })
      }
      if (performance.now() - askedAt < STUCK_AFTER) return
      end('ERR_TIMEOUT', `the application was ended: no sign of life for ${STUCK_AFTER / 1000} s`)
    }, PING_EVERY)
  }
  const unwatch = (): void => {
    if (waiting > 0) return
    clearInterval(timer)
    timer = undefined
    askedAt = undefined
  }

  signal.addEventListener('abort', () => stop(signal.reason), { once: true })
  await new Promise<void>((resolve, reject) => {
    ended.signal.addEventListener('abort', () => reject(ended.signal.reason))
    worker.onerror = (event) => {
      event.preventDefault()
      end('ERR_TRAP', `the application’s Worker failed: ${event.message || 'no reason given'}`)
    }
    worker.onmessage = ({ data }: MessageEvent<FromGuest>) => {
      askedAt = undefined
      switch (data.kind) {
        case 'started':
          return resolve()
        case 'refused':
          return stop(new SpindleError((data.code || 'ERR_TRAP') as ErrorCode, data.message))
        case 'log':
          return onLog(data.line)
        case 'stored':
          return onStored()
        case 'outbound': {
          const { id } = data
          return void onOutbound(data.origin).then((isAllowed) =>
            post({ kind: 'verdict', id, isAllowed }),
          )
        }
      }
    }
    post({ kind: 'start', ...start })
  })

  return {
    async fetch(request) {
      ended.signal.throwIfAborted()
      const { port1, port2 } = new MessageChannel()
      waiting++
      watch()
      let isDone = false
      // A body that is left while it is read ends twice.
      const done = (): void => {
        if (isDone) return
        isDone = true
        waiting--
        unwatch()
      }
      try {
        post({ kind: 'request', request }, [port2])
        const response = await receiveResponse(port1, ended.signal)
        if (response.body === null) done()
        return response.body === null ? response : whenRead(response, done)
      } catch (error) {
        done()
        throw error
      }
    },
  }
}

/** The same response; `done` is called once its body has ended, however it ended. */
function whenRead(response: Response, done: () => void): Response {
  const reader = (response.body as ReadableStream<Uint8Array<ArrayBuffer>>).getReader()
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        try {
          const { done: isEnd, value } = await reader.read()
          if (!isEnd) return controller.enqueue(value)
          done()
          controller.close()
        } catch (error) {
          done()
          controller.error(error)
        }
      },
      cancel(reason) {
        done()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  const { status, statusText, headers } = response
  return new Response(body, { status, statusText, headers })
}
