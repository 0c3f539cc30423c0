import { join } from 'node:path'
import type { Sqlite3Static } from '@sqlite.org/sqlite-wasm'
import { SpindleError } from '../errors.ts'
import type { AppHandlerOptions } from '../run/app-handler.ts'
import { createSqliteWasm } from '../run/spin/sqlite-wasm.ts'
import type { SqliteDatabase } from '../run/spin/sqlite.ts'
import { createFileKeyValue } from './file-key-value.ts'
import { createFileSqlite } from './file-sqlite.ts'
import { createOutboundFetch } from './outbound-fetch.ts'
import type { ProxySettings } from './proxy.ts'

/** What an application run by the command keeps, where, and how it reaches the network: can be sent to its thread. */
export interface AppState {
  /** As Spin's `--state-dir`. Without one it is kept in memory. */
  readonly folder: string | undefined
  /** Whether a component has a database: what they take is not loaded for others. */
  readonly sqlite: boolean
  /** Bytes that SQLite may take in all. */
  readonly maxMemory?: number
  /** Proxies for its outbound requests. Default: none. */
  readonly proxy?: ProxySettings
}

/** The last version that Node 20 can load. */
const PACKAGE = '@sqlite.org/sqlite-wasm@3.50.4-build1'

/** Where Spin has it too, without a configuration of its own: other labels have no store. */
const LABEL = 'default'

export function keyValueFolder(folder: string): string {
  return join(folder, 'key-value', LABEL)
}

/** Spin's own name: what one has written the other reads. */
export function sqliteFile(folder: string): string {
  return join(folder, 'sqlite_db.db')
}

/** Opens what an application keeps. Folders and files are made when a component asks for them. */
export async function openAppState({
  folder,
  sqlite,
  maxMemory,
  proxy,
}: AppState): Promise<
  Pick<AppHandlerOptions, 'keyValue' | 'sqlite'> & Required<Pick<AppHandlerOptions, 'fetch'>>
> {
  return {
    ...(folder !== undefined && {
      keyValue: ofDefault(() => createFileKeyValue(keyValueFolder(folder))),
    }),
    ...(sqlite && {
      sqlite: await openSqlite(folder, maxMemory === undefined ? {} : { maxMemory }),
    }),
    fetch: createOutboundFetch(proxy === undefined ? {} : { proxy }),
  }
}

async function openSqlite(
  folder: string | undefined,
  limits: { readonly maxMemory?: number },
): Promise<NonNullable<AppHandlerOptions['sqlite']>> {
  const sqlite = await loadSqlite()
  const connect = ofDefault(() =>
    folder === undefined
      ? createSqliteWasm(sqlite, limits)
      : createFileSqlite(sqliteFile(folder), sqlite, limits),
  )
  return (label): SqliteDatabase | undefined => connect(label)?.()
}

function ofDefault<T>(open: () => T): (label: string) => T | undefined {
  let opened: T | undefined
  return (label) => (label === LABEL ? (opened ??= open()) : undefined)
}

/** Rejects with `ERR_UNSUPPORTED` where it is not installed: few applications ask for it. */
export async function loadSqlite(): Promise<Sqlite3Static> {
  let init
  try {
    init = (await import('@sqlite.org/sqlite-wasm')).default
  } catch (cause) {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `a component uses SQLite, which comes in a package of its own: npm install ${PACKAGE}`,
      { cause },
    )
  }
  // What it prints repeats what its errors say.
  const silent = { print: () => {}, printErr: () => {} }
  return init(silent as unknown as Parameters<typeof init>[0])
}
