import { SpindleError } from 'spindle/errors'
import { sendFailure, sendResponse, type WireRequest } from './channel.ts'
import { record, type Exchange } from './exchanges.ts'
import { forFrame } from './for-frame.ts'
import { startGuest, type Guest, type GuestEvents } from './guest.ts'
import type { AppImage } from './guest-messages.ts'
import { openPreview, type Preview } from './preview.ts'

export interface SessionOptions extends GuestEvents {
  readonly image: AppImage
  readonly variables: () => Readonly<Record<string, string>>
  /** Names the application's values. */
  readonly values: string
  readonly preview: { readonly template: string; readonly label: string }
  readonly onExchange: (exchange: Exchange) => void
  readonly onMoved: (path: string, title: string) => void
  /** Gives it up as long as it has not started. */
  readonly signal: AbortSignal
}

/** An application that runs: a guest that can be started anew, and a preview that shows it. */
export interface Session {
  readonly preview: Preview
  /** Asks the application, wherever the request comes from. */
  ask(request: WireRequest): Promise<Response>
  /** With the variables as they are now. Rejects when it can't run with them. */
  restart(): Promise<void>
  close(): void
}

const CLOSED = new SpindleError('ERR_UNSUPPORTED', 'the application was closed')
const RESTARTED = new SpindleError('ERR_UNSUPPORTED', 'the application was started anew')

export async function startSession(options: SessionOptions): Promise<Session> {
  const { image, values, signal } = options
  let guest: Promise<Guest> | undefined
  let life = new AbortController()
  const running = (): Promise<Guest> => {
    if (guest !== undefined) return guest
    const variables = options.variables()
    const own = startGuest({ image, variables, values }, options, life.signal)
    // One that did not start is started anew by the next request.
    own.catch(() => {
      if (guest === own) guest = undefined
    })
    return (guest = own)
  }
  const stop = (why: unknown): void => {
    life.abort(why)
    life = new AbortController()
    guest = undefined
  }
  const ask = (request: WireRequest): Promise<Response> =>
    record(request, async (request) => (await running()).fetch(request), options.onExchange)

  signal.throwIfAborted()
  const giveUp = (): void => stop(signal.reason)
  signal.addEventListener('abort', giveUp, { once: true })
  await running()
  const preview = await openPreview({
    ...options.preview,
    signal,
    onMoved: options.onMoved,
    onRequest(request, port) {
      const { pathname: path } = new URL(request.url)
      ask(request).then(
        (response) => sendResponse(forFrame(response, request, { path }), port),
        (error: unknown) =>
          sendFailure(error instanceof Error ? error.message : String(error), port),
      )
    },
  }).catch((error: unknown) => {
    stop(CLOSED)
    throw error
  })
  signal.removeEventListener('abort', giveUp)
  return {
    preview,
    ask,
    async restart() {
      stop(RESTARTED)
      await running()
    },
    close() {
      stop(CLOSED)
      preview.close()
    },
  }
}
