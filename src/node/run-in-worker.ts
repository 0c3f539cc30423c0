import { Worker } from 'node:worker_threads'
import { type ErrorCode, SpindleError } from '../errors.ts'
import { snapshotOf } from '../run/app-snapshot.ts'
import type { LogLine } from '../run/logs.ts'
import { runAppOf } from '../run/run-app.ts'
import type { App } from '../spin/app.ts'
import type { PulledApp } from '../spin/pulled-app.ts'
import type { FetchHandler } from '../types.ts'
import {
  type Bodies,
  createBodies,
  type FromWorker,
  type ToWorker,
  type WorkerStart,
} from './worker-messages.ts'

export interface WorkerHandlerOptions {
  /** The built `app-worker` file. */
  readonly script: URL
  readonly variables?: Readonly<Record<string, string>>
  /** Milliseconds until a response begins, and that a guest may keep the thread busy. Default: none. */
  readonly timeout?: number
  readonly concurrency?: number
  readonly maxMemory?: number
  readonly onLog?: (line: LogLine) => void
  readonly clientAddress?: (request: Request) => string
}

export interface WorkerHandler extends FetchHandler {
  /** Ends the thread, and what it has under way. */
  close(): Promise<void>
}

/** Milliseconds between two looks at whether the thread still answers. */
const LOOK_EVERY = 1000

interface Pending {
  readonly request: Request
  readonly message: Extract<ToWorker, { type: 'request' }>
  begun: boolean
  readonly resolve: (response: Response) => void
  readonly onAbort: () => void
}

interface Thread {
  readonly worker: Worker
  readonly bodies: Bodies
  readonly post: (message: ToWorker) => void
}

/**
 * Runs an application in a thread of its own: a guest that never gives its turn back can be ended
 * there, and this thread goes on answering.
 *
 * With `timeout`, a thread that is busy for longer is ended: what it had begun is answered with 500,
 * what it hadn't goes to the thread that takes its place. What its components kept in memory is gone.
 * @throws what `createAppHandler` rejects with.
 */
export async function createWorkerHandler(
  app: App | PulledApp,
  options: WorkerHandlerOptions,
): Promise<WorkerHandler> {
  const { script, onLog, clientAddress, timeout, ...rest } = options
  const start: WorkerStart = {
    app: await snapshotOf(runAppOf(app)),
    options: { ...rest, ...(timeout === undefined ? {} : { timeout }) },
  }
  const pending = new Map<number, Pending>()
  const log = (text: string): void => onLog?.({ component: '', stream: 'host', text })
  let last = 0
  let isClosed = false
  let current: Promise<Thread>
  let watch: NodeJS.Timeout | undefined

  const finish = (id: number, response: Response): void => {
    const entry = pending.get(id)
    if (entry === undefined) return
    pending.delete(id)
    entry.request.signal.removeEventListener('abort', entry.onAbort)
    entry.resolve(response)
  }

  const open = (): Promise<Thread> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(script, { workerData: start })
      const post = (message: ToWorker): void => worker.postMessage(message)
      const bodies = createBodies(post)
      const thread: Thread = { worker, bodies, post }
      worker.on('message', (message: FromWorker) => {
        switch (message.type) {
          case 'ready':
            return resolve(thread)
          case 'refused': {
            const { code, message: text } = message
            return reject(
              code === undefined ? new Error(text) : new SpindleError(code as ErrorCode, text),
            )
          }
          case 'begun': {
            const entry = pending.get(message.id)
            if (entry !== undefined) entry.begun = true
            return
          }
          case 'response': {
            const { id, status, headers, hasBody } = message
            // A client that has left takes no body.
            if (!pending.has(id)) return void (hasBody && post({ type: 'cancel', id }))
            const body = hasBody ? bodies.receive(id) : null
            return finish(
              id,
              new Response(body, { status, headers: headers as [string, string][] }),
            )
          }
          case 'failed':
            log(message.message)
            return finish(message.id, failed())
          case 'pong':
            return
          case 'log':
            return onLog?.(message.line)
          default:
            bodies.handle(message)
        }
      })
      worker.on('error', (error) => {
        reject(error)
        void replace(thread, `the thread that runs the application failed: ${error.message}`)
      })
      worker.on('exit', () => {
        reject(new Error('the thread that runs the application has ended'))
        void replace(thread, 'the thread that runs the application has ended')
      })
    })

  /** Ends a thread and starts another in its place. */
  const ended = new WeakSet<Thread>()
  const replace = async (thread: Thread, reason: string): Promise<void> => {
    if (ended.has(thread)) return
    ended.add(thread)
    clearTimeout(watch)
    watch = undefined
    thread.bodies.close(new Error(reason))
    void thread.worker.terminate()
    if (isClosed || (await current.catch(() => undefined)) !== thread) return
    log(reason)
    current = open()
    current.catch((error: Error) => log(error.message))
    for (const [id, { begun, request }] of [...pending]) {
      // A body that was read can't be sent again.
      if (begun || request.body?.locked === true) finish(id, failed())
      else dispatch(id)
    }
  }

  const look = async (): Promise<void> => {
    watch = undefined
    if (timeout === undefined || isClosed) return
    const thread = await current.catch(() => undefined)
    if (thread === undefined || watch !== undefined) return
    if (pending.size === 0 && !thread.bodies.isBusy()) return
    const onMessage = (message: FromWorker): void => {
      if (message.type !== 'pong') return
      thread.worker.off('message', onMessage)
      clearTimeout(watch)
      watch = setTimeout(() => void look(), Math.min(LOOK_EVERY, timeout))
    }
    thread.worker.on('message', onMessage)
    thread.post({ type: 'ping' })
    watch = setTimeout(() => {
      watch = undefined
      void replace(
        thread,
        `a component kept its thread busy for more than ${timeout} ms and was ended`,
      )
    }, timeout)
  }

  const dispatch = (id: number): void => {
    current.then(
      ({ bodies, post }) => {
        const entry = pending.get(id)
        if (entry === undefined) return
        if (entry.request.body !== null) bodies.send(id, entry.request.body)
        post(entry.message)
        if (watch === undefined) void look()
      },
      () => finish(id, failed()),
    )
  }

  current = open()
  await current
  return {
    fetch: (request) => {
      request.signal.throwIfAborted()
      const id = ++last
      return new Promise<Response>((resolve, reject) => {
        const onAbort = (): void => {
          pending.delete(id)
          void current.then(({ post }) => post({ type: 'abort', id }))
          reject(request.signal.reason as Error)
        }
        request.signal.addEventListener('abort', onAbort, { once: true })
        const message = {
          type: 'request',
          id,
          method: request.method,
          url: request.url,
          headers: [...request.headers],
          hasBody: request.body !== null,
          address: clientAddress?.(request) ?? '0.0.0.0:0',
        } as const
        pending.set(id, { request, message, begun: false, resolve, onAbort })
        dispatch(id)
      })
    },
    close: async () => {
      isClosed = true
      clearTimeout(watch)
      const thread = await current.catch(() => undefined)
      for (const id of [...pending.keys()]) finish(id, failed())
      thread?.bodies.close(new Error('the application was stopped'))
      await thread?.worker.terminate()
    },
  }
}

function failed(): Response {
  return new Response(null, { status: 500 })
}
