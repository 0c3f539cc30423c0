/** Applications as Workers of their own: exported as `spindle/worker-loader`. */
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
export type { WorkerModulesOptions } from './worker-modules.ts'
export { toWorkerCode, type WorkerCode, type WorkerCodeOptions } from './worker-code.ts'
export { createWorkerHost, type WorkerHostOptions } from './worker-host.ts'
export {
  createWorkersKeyValue,
  type WorkersKeyValueNamespace,
  type WorkersKeyValueOptions,
} from './workers-key-value.ts'
