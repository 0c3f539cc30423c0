import { createWorkerHandler } from 'spindle/run-worker'
import { appOf } from './app-of-image.ts'
import { receiveRequest, type WireRequest } from './channel.ts'
import type { AppImage, FromGuest, LogLine, ToGuest } from './guest-messages.ts'
import { GUEST_WORKER, ownScript } from './own-scripts.ts'

/** Milliseconds that an application may keep its Worker busy, until it is ended. */
export const STUCK_AFTER = 10_000

export interface GuestOptions {
  readonly image: AppImage
  readonly variables: Readonly<Record<string, string>>
  /** Names the application's values in IndexedDB. */
  readonly values: string
}

export interface GuestEvents {
  readonly onLog: (line: LogLine) => void
  /** Whether an origin that the manifest allows may be reached. */
  readonly onOutbound: (origin: string) => Promise<boolean>
  /** The application stored a value or deleted one. */
  readonly onStored: () => void
  /** It was ended, as nothing came from it any more, and another has taken its place. */
  readonly onReplaced: () => void
}

export interface Guest {
  /** Rejects with why it was ended, for all that are under way. */
  fetch(request: WireRequest): Promise<Response>
}

/**
 * An application in a Worker of its own: whatever it does, the page goes on and can end it.
 *
 * Rejects with the application's own error when it can't run, as when a variable is missing.
 * @param signal Ends it at once, whatever it is doing.
 */
export async function startGuest(
  { image, variables, values }: GuestOptions,
  { onLog, onOutbound, onStored, onReplaced }: GuestEvents,
  signal: AbortSignal,
): Promise<Guest> {
  signal.throwIfAborted()
  let running: Worker | undefined
  const ended = new Promise<never>((_, reject) =>
    signal.addEventListener(
      'abort',
      () => {
        running?.terminate()
        reject(signal.reason)
      },
      { once: true },
    ),
  )
  ended.catch(() => {})

  const worker = (): Worker => {
    if (running !== undefined) onReplaced()
    running = new Worker(ownScript(GUEST_WORKER), { type: 'module', name: values })
    const { port1: port, port2 } = new MessageChannel()
    port.onmessage = ({ data }: MessageEvent<FromGuest>) => {
      if (data.kind === 'stored') return onStored()
      if (data.kind === 'said') return onLog({ component: '', stream: 'host', text: data.text })
      const { id } = data
      void onOutbound(data.origin).then((isAllowed) =>
        port.postMessage({ id, isAllowed } satisfies ToGuest),
      )
    }
    running.postMessage('page', [port2])
    return running
  }
  const start = createWorkerHandler(appOf(image), {
    worker,
    variables,
    busyTimeout: STUCK_AFTER,
    onLog,
  })
  start.catch(() => running?.terminate())
  const handler = await Promise.race([start, ended])
  signal.addEventListener('abort', () => void handler.close(), { once: true })
  return {
    async fetch(request) {
      signal.throwIfAborted()
      return Promise.race([handler.fetch(receiveRequest(request)), ended])
    },
  }
}
