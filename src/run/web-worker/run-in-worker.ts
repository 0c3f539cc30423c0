import { isSpindleError } from '../../errors.ts'
import { dataOf } from '../../bytes/reword-error.ts'
import { type AppHandlerOptions, UNKNOWN_ADDRESS } from '../handler/app-handler-options.ts'
import { restoreApp } from '../app/app-snapshot.ts'
import { createRunHandler } from '../handler/run-handler.ts'
import { createAnswerer } from './answer.ts'
import type { AskMessage, FromWorker, StartMessage, ToWorker } from './messages.ts'
import type { PortLike } from './port.ts'

/** Options that the Worker sets itself, because functions cannot be posted to it. */
export type InWorkerOptions = Pick<
  AppHandlerOptions,
  'fetch' | 'keyValue' | 'sqlite' | 'interfaces' | 'compile' | 'jspi'
>

/**
 * Runs, in a Worker, the application that `createWorkerHandler` sends it. Call it at once: the first
 * message must not be missed.
 *
 * Exported from `spindle/run-worker`.
 *
 * @example All of a Worker's file, with values kept in the browser
 * import { createIndexedDbKeyValue } from 'spindle/run'
 * import { runInWorker } from 'spindle/run-worker'
 *
 * runInWorker(self, { keyValue: (label) => createIndexedDbKeyValue(`${self.name}/${label}`) })
 */
export function runInWorker(scope: PortLike, options: InWorkerOptions = {}): void {
  const post = (message: FromWorker): void => scope.postMessage(message)
  /** Lines posted but not written by the other end yet: they take memory until then. */
  const unwritten: Array<() => void> = []
  let answer: ((message: AskMessage) => void) | undefined

  const start = async ({ app, options: given }: StartMessage): Promise<void> => {
    const heads = new WeakMap<Request, { readonly address: string; readonly arrived: number }>()
    try {
      const handler = await createRunHandler(restoreApp(app), {
        ...options,
        ...given,
        onLog: (line) =>
          new Promise<void>((resolve) => {
            unwritten.push(resolve)
            post({ type: 'log', line })
          }),
        clientAddress: (request) => heads.get(request)?.address ?? UNKNOWN_ADDRESS,
        waited: (request) => Math.max(0, Date.now() - (heads.get(request)?.arrived ?? Infinity)),
      })
      // Already compiled; this is a copy of the other end's bytes.
      app.wasm.clear()
      answer = createAnswerer(post, (request, head) => {
        heads.set(request, head)
        return handler.fetch(request)
      })
      post({ type: 'ready' })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      const code = isSpindleError(error) ? error.code : undefined
      post({ type: 'refused', code, message, data: isSpindleError(error) ? dataOf(error) : {} })
    }
  }

  scope.addEventListener('message', ({ data }) => {
    const message = data as ToWorker
    switch (message.type) {
      case 'start':
        return void start(message)
      case 'logged': {
        const done = unwritten.splice(0, message.lines)
        for (const resolve of done) resolve()
        return
      }
      case 'ping':
        return post({ type: 'pong' })
      default:
        answer?.(message)
    }
  })
  scope.start?.()
}
