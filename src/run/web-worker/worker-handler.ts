import { type PlainErrorCode, SpindleError } from '../../errors.ts'
import type { App } from '../../spin/source/app.ts'
import type { PulledApp } from '../../spin/artifact/pulled-app.ts'
import { assertNoVerifyOption } from '../../store/verify-option.ts'
import type { FetchHandler } from '../../types.ts'
import { isPromise } from '../component/abi/runtime.ts'
import { snapshotOf } from '../app/app-snapshot.ts'
import type { OnLog } from '../host/logs.ts'
import { MAX_TIMER } from '../../http/timing.ts'
import { openRunApp } from '../app/open-run-app.ts'
import { UNKNOWN_ADDRESS } from '../handler/app-handler-options.ts'
import { createAsker, failedResponse, type Asked, type Asker } from './ask.ts'
import type { FromWorker, StartMessage, ToWorker } from './messages.ts'

/** The subset of `Worker` that is used. */
export interface WorkerLike {
  postMessage(message: unknown): void
  addEventListener(
    type: 'message' | 'error',
    listener: (event: { readonly data?: unknown; readonly message?: string }) => void,
  ): void
  terminate(): unknown
}

export interface WorkerHandlerOptions {
  /** Starts a Worker whose file calls `runInWorker`. Called again when one had to be ended. */
  readonly worker: () => WorkerLike
  /** Values of the application's variables; required ones must be among them. */
  readonly variables?: Readonly<Record<string, string>>
  /** Milliseconds from a request's arrival until its response begins, wherever it waits. Default: none. */
  readonly timeout?: number
  /**
   * Milliseconds that a guest may keep the Worker busy: one that waits is not. Default: `timeout`, and
   * then a Worker that doesn't react to the end of that time is ended as well.
   */
  readonly busyTimeout?: number
  /**
   * Guests at once; further requests queue. Default 64. A guest that waits for its client, for more of
   * the request's body or until it reads on, does not count; there are as many again of those, and for
   * one more the one that waits for the longest is ended, with 408 if it has no response yet.
   */
  readonly concurrency?: number
  /** Bytes that one request may take in all. Default 512 MiB. */
  readonly maxMemory?: number
  /** Called for each line that a component prints, and with stream `host` for what went wrong around it. */
  readonly onLog?: OnLog
  /** Returns the client's `ip:port`. Default `0.0.0.0:0`. */
  readonly clientAddress?: (request: Request) => string
}

export interface WorkerHandler extends FetchHandler {
  /** Terminates the Worker and its requests. */
  close(): Promise<void>
}

/** Milliseconds between pings of a busy Worker. */
const LOOK_EVERY = 1000

/** Milliseconds after the timeout until an unresponsive Worker is terminated. */
function graceOf(timeout: number): number {
  return Math.min(1000, Math.max(100, timeout / 10))
}

interface Thread {
  readonly worker: WorkerLike
  readonly asker: Asker
  readonly post: (message: ToWorker) => void
  /** Called at the next answer to a ping. */
  onPong: () => void
}

/** Deadline state of one request. */
interface Clock {
  readonly timer: ReturnType<typeof setTimeout>
  /** Restarted, because its Worker was terminated before it began the request. */
  readonly isAgain: boolean
  /** Where it was sent. */
  thread?: Thread
  isOver?: boolean
}

/**
 * Runs an application in a Worker of its own: a guest that never gives its turn back can be ended
 * there, and who asks goes on.
 *
 * Exported from `spindle/run-worker`.
 *
 * @example Run in a page, and end what keeps its Worker busy for more than 10 seconds
 * const worker = () => new Worker(new URL('./app-worker.js', import.meta.url), { type: 'module' })
 * const handler = await createWorkerHandler(app, { worker, timeout: 10_000 })
 * const response = await handler.fetch(new Request('https://app.example/hello/world'))
 *
 * With `busyTimeout`, a Worker that is busy for longer is ended: what it had begun is answered with 500,
 * what it hadn't goes to the Worker that takes its place, where its time begins once more. What its
 * components kept in memory is gone. After `timeout` the answer is 500 in any case.
 * Where none can be started in its place, each request tries again.
 *
 * Rejects as `createAppHandler` does, and with an `Error` when the Worker can't be started.
 */
export async function createWorkerHandler(
  app: App | PulledApp,
  options: WorkerHandlerOptions,
): Promise<WorkerHandler> {
  assertNoVerifyOption(options, 'createWorkerHandler')
  const { worker: startWorker, onLog, clientAddress, busyTimeout, ...rest } = options
  const most = busyTimeout ?? rest.timeout
  const start: StartMessage = {
    type: 'start',
    app: await snapshotOf(await openRunApp(app)),
    options: rest,
  }
  const log = (text: string): void => void onLog?.({ component: '', stream: 'host', text })
  let isClosed = false
  let current: Promise<Thread>
  let watch: ReturnType<typeof setTimeout> | undefined

  const open = (): Promise<Thread> =>
    new Promise((resolve, reject) => {
      const worker = startWorker()
      const post = (message: ToWorker): void => worker.postMessage(message)
      // Told together, a turn later: a component may print many lines at once.
      let lines = 0
      const tell = (): void => {
        if (lines++ > 0) return
        setTimeout(() => {
          post({ type: 'logged', lines })
          lines = 0
        })
      }
      const written = (done: unknown): void => {
        if (isPromise(done)) void done.catch(() => {}).then(tell)
        else tell()
      }
      const thread: Thread = { worker, asker: createAsker(post, log), post, onPong: () => {} }
      worker.addEventListener('message', ({ data }) => {
        const message = data as FromWorker
        switch (message.type) {
          case 'ready':
            return resolve(thread)
          case 'refused': {
            const { code, message: text, data } = message
            worker.terminate()
            return reject(
              code === undefined
                ? new Error(text)
                : Object.assign(new SpindleError(code as PlainErrorCode, text), data),
            )
          }
          case 'pong':
            return thread.onPong()
          case 'log':
            return written(onLog?.(message.line))
          default:
            thread.asker.handle(message)
        }
      })
      worker.addEventListener('error', ({ message = 'it could not be started' }) => {
        const reason = `the Worker that runs the application failed: ${message}`
        reject(new Error(reason))
        void replace(thread, reason)
      })
      post(start)
    })

  /** Terminates a Worker and starts a replacement. */
  const ended = new WeakSet<Thread>()
  const replace = async (thread: Thread, reason: string): Promise<void> => {
    if (ended.has(thread)) return
    ended.add(thread)
    clearTimeout(watch)
    watch = undefined
    thread.worker.terminate()
    const left = thread.asker.close(new Error(reason))
    if (isClosed || (await current.catch(() => undefined)) !== thread) {
      for (const asked of left) asked.resolve(failedResponse())
      return
    }
    log(reason)
    startAnew()
    for (const asked of left) {
      // Another request caused the wait, so its time restarts; once only, so that it is bounded.
      if (clocks.get(asked)?.isAgain === false) {
        asked.arrived = Date.now()
        startClock(asked, true)
      }
      dispatch(asked)
    }
  }

  /** Whether the last one could not be started. The next may be: its file may have been out of reach. */
  let hasFailed = false
  const startAnew = (): void => {
    hasFailed = false
    current = open()
    current.catch((error: Error) => {
      hasFailed = true
      log(error.message)
    })
  }

  /** Pings a Worker that has requests, to detect a guest that blocks it. */
  const look = async (): Promise<void> => {
    watch = undefined
    if (most === undefined || isClosed) return
    const thread = await current.catch(() => undefined)
    if (thread === undefined || watch !== undefined || !thread.asker.isBusy()) return
    thread.onPong = () => {
      thread.onPong = () => {}
      clearTimeout(watch)
      watch = setTimeout(() => void look(), Math.min(LOOK_EVERY, most))
    }
    thread.post({ type: 'ping' })
    watch = setTimeout(
      () => {
        watch = undefined
        void replace(thread, busyReason)
      },
      Math.min(most, MAX_TIMER),
    )
  }

  const busyReason = `a component kept its Worker busy for more than ${most} ms and was ended`
  const clocks = new WeakMap<Asked, Clock>()

  /** Measures the timeout in this thread as well: a blocked Worker cannot. */
  const startClock = (asked: Asked, isAgain = false): void => {
    const { timeout } = rest
    if (timeout === undefined) return
    const late = Math.min(timeout + graceOf(timeout), MAX_TIMER)
    clearTimeout(clocks.get(asked)?.timer)
    clocks.set(asked, { timer: setTimeout(() => giveUp(asked, timeout), late), isAgain })
  }

  const giveUp = (asked: Asked, timeout: number): void => {
    const clock = clocks.get(asked) as Clock
    const { thread } = clock
    // Whoever may keep a Worker busy for longer than a request may take has said so.
    const endsWorker = thread !== undefined && busyTimeout === undefined
    if (endsWorker && !clock.isAgain && !thread.asker.hasBegun(asked))
      return void replace(thread, busyReason)
    clock.isOver = true
    const isAtWork = thread?.asker.giveUp(asked)
    asked.resolve(failedResponse())
    const { method, url } = asked.request
    log(`${method} ${new URL(url).pathname} failed: no response within ${timeout} ms (ERR_TIMEOUT)`)
    if (!endsWorker) return
    setTimeout(() => {
      if (isAtWork?.() === true) void replace(thread, busyReason)
    }, graceOf(timeout))
  }

  const dispatch = (asked: Asked): void => {
    if (hasFailed && !isClosed) startAnew()
    current.then(
      (thread) => {
        const clock = clocks.get(asked)
        if (clock?.isOver === true) return
        if (ended.has(thread)) {
          if (isClosed) return asked.resolve(failedResponse())
          // In this very turn: another is about to take its place.
          return void Promise.resolve().then(() => dispatch(asked))
        }
        if (clock !== undefined) clock.thread = thread
        thread.asker.send(asked)
        if (watch === undefined) void look()
      },
      () => asked.resolve(failedResponse()),
    )
  }

  current = open()
  await current
  return {
    fetch: (request) =>
      new Promise((resolve, reject) => {
        const settled =
          <T>(settle: (value: T) => void) =>
          (value: T): void => {
            clearTimeout(clocks.get(asked)?.timer)
            settle(value)
          }
        const asked: Asked = {
          request,
          address: clientAddress?.(request) ?? UNKNOWN_ADDRESS,
          arrived: Date.now(),
          resolve: settled(resolve),
          reject: settled(reject),
        }
        startClock(asked)
        dispatch(asked)
      }),
    close: async () => {
      isClosed = true
      clearTimeout(watch)
      const thread = await current.catch(() => undefined)
      if (thread === undefined) return
      ended.add(thread)
      for (const asked of thread.asker.close(new Error('the application was stopped')))
        asked.resolve(failedResponse())
      await thread.worker.terminate()
    },
  }
}
