/** What is used of sql.js, which brings no types of its own. */
declare module 'sql.js' {
  import type { SqlJsFile } from './file-sqlite.ts'

  export interface SqlJs {
    readonly Database: new (bytes?: Uint8Array) => SqlJsFile
  }
  const init: (options?: { readonly wasmBinary?: Uint8Array }) => Promise<SqlJs>
  export default init
}
