/** Running applications: exported as `spindle/run`. */
export { createAppHandler, type AppHandlerOptions } from './app-handler.ts'
export type { Compile } from './component/compile.ts'
export type { HostFunction, HostInterface } from './component/items.ts'
export type { LogLine, OnLog } from './logs.ts'
export { createIndexedDbKeyValue } from './spin/indexed-db.ts'
export { createMemoryKeyValue, type KeyValueStore } from './spin/key-value-store.ts'
export type { SqliteWasm } from './spin/sqlite-connection.ts'
export type {
  OpenSqlite,
  SqliteCounters,
  SqliteCursor,
  SqliteDatabase,
  SqliteLimits,
  SqliteResult,
  SqliteValue,
} from './spin/sqlite.ts'
export { createSqliteWasm, type SqliteWasmOptions } from './spin/sqlite-wasm.ts'
export { createStaticResponder } from './static-responder.ts'
export { splitComponent, type SplitComponent } from './workerd/split-component.ts'
