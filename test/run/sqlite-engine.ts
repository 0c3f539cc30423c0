import initSqlite from '@sqlite.org/sqlite-wasm'

const silent = { print: () => {}, printErr: () => {} }

/** SQLite's WebAssembly build, which prints nothing. */
export const sqlite = await initSqlite(silent as unknown as Parameters<typeof initSqlite>[0])
