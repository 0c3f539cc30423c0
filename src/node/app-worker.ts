import { parentPort, workerData } from 'node:worker_threads'
import { runInWorker } from '../run/web-worker/run-in-worker.ts'
import { type AppState, openAppState } from './state/app-state.ts'

/** The worker thread of an application, started by `startAppThread`. */
const port = parentPort
if (port === null) throw new Error('this file is started as a worker thread')
// Messages are queued until a listener is added.
const state = await openAppState(workerData as AppState)
runInWorker(
  {
    postMessage: (message) => port.postMessage(message),
    addEventListener: (type, listener) => void port.on(type, (data: unknown) => listener({ data })),
  },
  state,
)
