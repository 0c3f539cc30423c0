import { join } from 'node:path'
import type initSqlJs from 'sql.js'
import { SpindleError } from '../errors.ts'
import type { AppHandlerOptions } from '../run/app-handler.ts'
import { createSqlJsDatabase } from '../run/spin/sql-js.ts'
import { createFileKeyValue } from './file-key-value.ts'
import { createFileSqlite } from './file-sqlite.ts'
import { createNodeFetch } from './fetch.ts'
import type { ProxySettings } from './proxy.ts'

/** What an application run by the command keeps, where, and how it reaches the network: can be sent to its thread. */
export interface AppState {
  /** As Spin's `--state-dir`. Without one it is kept in memory. */
  readonly folder: string | undefined
  /** Whether a component has a database: what they take is not loaded for others. */
  readonly sqlite: boolean
  /** Proxies for its outbound requests. Default: none. */
  readonly proxy?: ProxySettings
}

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
  proxy,
}: AppState): Promise<Pick<AppHandlerOptions, 'fetch' | 'keyValue' | 'sqlite'>> {
  return {
    ...(folder !== undefined && {
      keyValue: ofDefault(() => createFileKeyValue(keyValueFolder(folder))),
    }),
    ...(sqlite && { sqlite: await openSqlite(folder) }),
    ...(proxy !== undefined && { fetch: createNodeFetch({ proxy }) }),
  }
}

async function openSqlite(
  folder: string | undefined,
): Promise<NonNullable<AppHandlerOptions['sqlite']>> {
  const init = await loadSqlJs()
  const { Database } = await init()
  return ofDefault(() =>
    folder === undefined
      ? createSqlJsDatabase(new Database())
      : createFileSqlite(sqliteFile(folder), Database),
  )
}

function ofDefault<T>(open: () => T): (label: string) => T | undefined {
  let opened: T | undefined
  return (label) => (label === LABEL ? (opened ??= open()) : undefined)
}

/** Rejects with `ERR_UNSUPPORTED` where it is not installed: it takes 30 MB, and few applications ask for it. */
export async function loadSqlJs(): Promise<typeof initSqlJs> {
  try {
    return (await import('sql.js')).default
  } catch (cause) {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'a component uses SQLite, which sql.js brings along: npm install sql.js',
      { cause },
    )
  }
}
