import { parentPort, workerData } from 'node:worker_threads'
import { createRunHandler } from '../run/app-handler.ts'
import { restoreApp } from '../run/app-snapshot.ts'
import { isSpindleError } from '../errors.ts'
import type { FetchHandler } from '../types.ts'
import {
  createBodies,
  type FromWorker,
  type ToWorker,
  type WorkerStart,
} from './worker-messages.ts'

/** The thread that an application runs in. Started by `createWorkerHandler` alone. */

const port = parentPort
if (port === null) throw new Error('this file is started as a worker thread')
const post = (message: FromWorker): void => port.postMessage(message)
const { app, options } = workerData as WorkerStart
const addresses = new WeakMap<Request, string>()
const bodies = createBodies(post)
const aborts = new Map<number, AbortController>()

try {
  const handler = await createRunHandler(restoreApp(app), {
    ...options,
    onLog: (line) => post({ type: 'log', line }),
    clientAddress: (request) => addresses.get(request) ?? '0.0.0.0:0',
  })
  port.on('message', (message: ToWorker) => {
    switch (message.type) {
      case 'request':
        void answer(handler, message)
        return
      case 'abort':
        aborts.get(message.id)?.abort()
        return
      case 'ping':
        post({ type: 'pong' })
        return
      default:
        bodies.handle(message)
    }
  })
  post({ type: 'ready' })
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  post({ type: 'refused', code: isSpindleError(error) ? error.code : undefined, message })
  port.close()
}

async function answer(
  handler: FetchHandler,
  head: Extract<ToWorker, { type: 'request' }>,
): Promise<void> {
  const { id, method, url, headers, hasBody, address } = head
  // Before the guest has its turn: what has not begun may be given to another thread.
  post({ type: 'begun', id })
  const abort = new AbortController()
  aborts.set(id, abort)
  try {
    const request = new Request(url, {
      method,
      headers: headers as [string, string][],
      signal: abort.signal,
      ...(hasBody ? { body: bodies.receive(id), duplex: 'half' } : {}),
    } as RequestInit)
    addresses.set(request, address)
    const response = await handler.fetch(request)
    const { body, status } = response
    if (body !== null) bodies.send(id, body)
    post({ type: 'response', id, status, headers: [...response.headers], hasBody: body !== null })
  } catch (error) {
    post({ type: 'failed', id, message: error instanceof Error ? error.message : String(error) })
  } finally {
    // From here on, a client that leaves cancels the body.
    aborts.delete(id)
  }
}
