/** Applications in a Worker that can be terminated: exported as `spindle/run-worker`. */
export type * from '../../spin/app-types.ts'
export type * from '../../trust/policy-types.ts'
export type { FetchHandler, FetchLike, ReferrerStore, Verifier } from '../../types.ts'
export type { AppHandlerOptions } from '../handler/app-handler-options.ts'
export type { Compile } from '../component/compile.ts'
export type { HostFunction, HostInterface } from '../component/abi/items.ts'
export type { LogLine, OnLog } from '../host/logs.ts'
export type { KeyValueStore } from '../host/spin/key-value-store.ts'
export type {
  OpenSqlite,
  SqliteCounters,
  SqliteCursor,
  SqliteDatabase,
  SqliteLimits,
  SqliteResult,
  SqliteValue,
} from '../host/spin/sqlite-database.ts'
export { answerPort, createPortHandler, type PortLike } from './port.ts'
export { runInWorker, type InWorkerOptions } from './run-in-worker.ts'
export {
  createWorkerHandler,
  type WorkerHandler,
  type WorkerHandlerOptions,
  type WorkerLike,
} from './worker-handler.ts'
