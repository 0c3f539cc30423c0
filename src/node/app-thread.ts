import { Worker } from 'node:worker_threads'
import type { WorkerLike } from '../run/web-worker/worker-handler.ts'
import type { AppState } from './state/app-state.ts'

/** A thread of Node's as the Worker that `createWorkerHandler` asks for. `script` is the built `app-worker` file. */
export function startAppThread(script: URL, state: AppState): WorkerLike {
  const worker = new Worker(script, { workerData: state })
  return {
    postMessage: (message) => worker.postMessage(message),
    addEventListener(type, listener) {
      if (type === 'message')
        return void worker.on('message', (data: unknown) => listener({ data }))
      worker.on('error', ({ message }) => listener({ message }))
      worker.on('exit', () => listener({ message: 'it has ended' }))
    },
    terminate: () => worker.terminate(),
  }
}
