/** Running applications: exported as `spindle/run`. */
export { createAppHandler, type AppHandlerOptions } from './app-handler.ts'
export type { Compile } from './component/compile.ts'
export type { HostFunction, HostInterface } from './component/items.ts'
export type { LogLine } from './logs.ts'
export { createIndexedDbKeyValue } from './spin/indexed-db.ts'
export { createMemoryKeyValue, type KeyValueStore } from './spin/key-value-store.ts'
export { createStaticResponder } from './static-responder.ts'
export { splitComponent, type SplitComponent } from './workerd/split-component.ts'
