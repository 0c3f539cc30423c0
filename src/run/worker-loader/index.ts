/** Applications as Workers of their own: exported as `spindle/worker-loader`. */
export type { KeyValueStore } from '../host/spin/key-value-store.ts'
export type { LogLine } from '../host/logs.ts'
export { toWorkerCode, type WorkerCode, type WorkerCodeOptions } from './worker-code.ts'
export { createWorkerHost, type WorkerHostOptions } from './worker-host.ts'
export {
  createWorkersKeyValue,
  type WorkersKeyValueNamespace,
  type WorkersKeyValueOptions,
} from './workers-key-value.ts'
