import type { FetchHandler } from '../../types.ts'
import { UNKNOWN_ADDRESS } from '../handler/app-handler-options.ts'
import { createAnswerer } from './answer.ts'
import { createAsker } from './ask.ts'
import type { AnswerMessage, AskMessage } from './messages.ts'

/** The subset of `MessagePort` that is used. */
export interface PortLike {
  postMessage(message: unknown): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  start?(): void
}

/**
 * Creates a handler that forwards requests to the other end of a port, which `answerPort` serves.
 *
 * Exported from `spindle/run-worker`. A Service Worker can't start a Worker, but a page can, and
 * give it a port.
 *
 * @example Answer requests in a Service Worker by an application that a page runs
 * addEventListener('message', ({ data }) => (handler = createPortHandler(data.port)))
 * addEventListener('fetch', (event) => event.respondWith(handler.fetch(event.request)))
 */
export function createPortHandler(port: PortLike): FetchHandler {
  const asker = createAsker((message) => port.postMessage(message))
  port.addEventListener('message', ({ data }) => asker.handle(data as AnswerMessage))
  port.start?.()
  return {
    fetch: (request) =>
      new Promise((resolve, reject) =>
        asker.send({
          request,
          address: UNKNOWN_ADDRESS,
          arrived: Date.now(),
          resolve,
          reject,
        }),
      ),
  }
}

/**
 * Answers what is asked at the other end of a port: `createPortHandler` is there.
 *
 * Exported from `spindle/run-worker`.
 *
 * @example Let the page's Service Worker ask the application that the page runs
 * const { port1, port2 } = new MessageChannel()
 * answerPort(port1, await createWorkerHandler(app, { worker }))
 * navigator.serviceWorker.controller.postMessage({ port: port2 }, [port2])
 */
export function answerPort(port: PortLike, handler: FetchHandler): void {
  const answer = createAnswerer(
    (message) => port.postMessage(message),
    (request) => handler.fetch(request),
  )
  port.addEventListener('message', ({ data }) => answer(data as AskMessage))
  port.start?.()
}
