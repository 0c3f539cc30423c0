/** What the tests use of sql.js, which brings no types of its own. */
declare module 'sql.js' {
  import type { SqlJsDatabase } from '../../src/run/index.ts'

  const init: (options?: {
    readonly wasmBinary?: Uint8Array
  }) => Promise<{ readonly Database: new (bytes?: Uint8Array) => SqlJsDatabase }>
  export default init
}
