import type { Sqlite3Static } from '@sqlite.org/sqlite-wasm'
import { SpindleError } from '../../errors.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import type { AppHandlerOptions } from '../../run/handler/app-handler-options.ts'
import { createMemoryKeyValue, type KeyValueStore } from '../../run/host/spin/key-value-store.ts'
import type { OpenSqlite } from '../../run/host/spin/sqlite-database.ts'
import { createSqliteWasm } from '../../run/host/spin/sqlite-wasm.ts'
import { createFileKeyValue } from './file-key-value.ts'
import { createFileSqlite } from './file-sqlite.ts'
import { createOutboundFetch, type OutboundFetchOptions } from '../fetch/outbound-fetch.ts'

/** Files by label; `undefined` for what is kept in memory. Other labels have nothing. */
export type StateFiles = ReadonlyMap<string, string | undefined>

/** What is stored before an application starts. */
export interface FirstState {
  /** Key and value for the store of a label. */
  readonly keyValue: ReadonlyArray<readonly [label: string, key: string, value: string]>
  /** SQL for the database of a label, of one statement or more. */
  readonly sqlite: ReadonlyArray<readonly [label: string, text: string]>
}

/** What an application run by the command keeps, where, and how it reaches the network: can be sent to its thread. */
export interface AppState {
  readonly keyValue: StateFiles
  readonly sqlite: StateFiles
  /** For what is in memory. */
  readonly first: FirstState
  /** Bytes that SQLite may take in all. */
  readonly maxMemory?: number
  /** How its outbound requests are sent. Default: as `createOutboundFetch` does by itself. */
  readonly outbound?: OutboundFetchOptions
}

interface Stores extends Required<Pick<AppHandlerOptions, 'fetch'>> {
  readonly keyValue: (label: string) => KeyValueStore | undefined
  readonly sqlite?: OpenSqlite
}

/** Opens what an application keeps. Folders and files are made when a component asks for them. */
export async function openAppState(state: AppState): Promise<Stores> {
  const { keyValue, sqlite, maxMemory, outbound } = state
  const limits = maxMemory === undefined ? {} : { maxMemory }
  const isNeeded = sqlite.size > 0 || [...keyValue.values()].some((file) => file !== undefined)
  const engine = isNeeded ? await loadSqlite() : undefined
  const stores = byLabel(keyValue, (label, file): KeyValueStore =>
    file === undefined || engine === undefined
      ? createMemoryKeyValue()
      : createFileKeyValue(file, engine, { store: label, ...limits }),
  )
  const databases =
    engine === undefined || sqlite.size === 0
      ? undefined
      : byLabel(sqlite, (_, file) =>
          file === undefined
            ? createSqliteWasm(engine, limits)
            : createFileSqlite(file, engine, limits),
        )
  const opened: Stores = {
    keyValue: stores,
    ...(databases !== undefined && { sqlite: (label) => databases(label)?.() }),
    fetch: createOutboundFetch(outbound),
  }
  store(state.first, opened)
  return opened
}

/** Stores what is to be there first; throws what goes wrong with it. */
function store(first: FirstState, { keyValue, sqlite }: Stores): void {
  for (const [label, text] of first.sqlite) {
    const database = sqlite?.(label)
    if (database === undefined) continue
    try {
      database.executeAll?.(text)
    } catch (cause) {
      throw new SpindleError(
        'ERR_CONTENT_INVALID',
        `the SQL for the database "${label}" failed: ${(cause as Error).message}`,
        { cause },
      )
    } finally {
      database.close?.()
    }
  }
  for (const [label, key, value] of first.keyValue)
    void keyValue(label)?.set(key, encodeUtf8(value))
}

function byLabel<T>(
  files: StateFiles,
  open: (label: string, file: string | undefined) => T,
): (label: string) => T | undefined {
  const opened = new Map<string, T>()
  return (label) => {
    if (!files.has(label)) return undefined
    let one = opened.get(label)
    if (one === undefined) opened.set(label, (one = open(label, files.get(label))))
    return one
  }
}

/** Few applications ask for it, and it takes some time to load. */
async function loadSqlite(): Promise<Sqlite3Static> {
  const { default: init } = await import('@sqlite.org/sqlite-wasm')
  // What it prints repeats what its errors say.
  const silent = { print: () => {}, printErr: () => {} }
  return init(silent as unknown as Parameters<typeof init>[0])
}
