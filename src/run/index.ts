/** Running applications: exported as `spindle/run`. */
export type * from '../spin/app-types.ts'
export type * from '../trust/policy-types.ts'
export type { FetchHandler, FetchLike, ReferrerStore, Verifier } from '../types.ts'
export { createAppHandler } from './app-handler.ts'
export type { AppHandlerOptions } from './handler/app-handler-options.ts'
export type { Compile } from './component/compile.ts'
export type { HostFunction, HostInterface } from './component/abi/items.ts'
export type { LogLine, OnLog } from './host/logs.ts'
export { createIndexedDbKeyValue } from './host/spin/indexed-db.ts'
export { createMemoryKeyValue, type KeyValueStore } from './host/spin/key-value-store.ts'
export type { Pointer as SqlitePointer, SqliteWasm } from './host/spin/sqlite-connection.ts'
export type {
  OpenSqlite,
  SqliteCounters,
  SqliteCursor,
  SqliteDatabase,
  SqliteLimits,
  SqliteResult,
  SqliteValue,
} from './host/spin/sqlite-database.ts'
export { createSqliteWasm, type SqliteWasmOptions } from './host/spin/sqlite-wasm.ts'
export { createStaticResponder } from './static-responder.ts'
export { splitComponent, type SplitComponent } from './worker-loader/split-component.ts'
