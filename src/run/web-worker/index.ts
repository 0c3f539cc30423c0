/** Applications in a Worker that can be ended: exported as `spindle/run-worker`. */
export type { LogLine } from '../host/logs.ts'
export { answerPort, createPortHandler, type PortLike } from './port.ts'
export { runInWorker, type InWorkerOptions } from './run-in-worker.ts'
export {
  createWorkerHandler,
  type WorkerHandler,
  type WorkerHandlerOptions,
  type WorkerLike,
} from './worker-handler.ts'
