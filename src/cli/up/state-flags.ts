import { join, relative, resolve } from 'node:path'
import { AppInvalid } from '../../errors.ts'
import type { RunApp } from '../../run/app/run-app.ts'
import {
  type AppState,
  type FirstState,
  openAppState,
  type StateFiles,
} from '../../node/state/app-state.ts'
import { CommandError, type CliIo, UsageError } from '../terminal/io.ts'
import type { RuntimeConfig } from './runtime-config.ts'
import { readTextFile } from '../terminal/text-file.ts'

/** Flags about stored data of components. */
export interface StateFlags {
  /** Empty for none. */
  readonly stateDir?: string
  readonly keyValue?: ReadonlyMap<string, string>
  readonly sqlite?: readonly string[]
}

/** Spin's file names, so that both programs can use the same data. */
const KEY_VALUE_FILE = 'sqlite_key_value.db'
const SQLITE_FILE = 'sqlite_db.db'
/** The default label, which always exists. */
const DEFAULT = 'default'

/** The labels in use, with their files. Throws for an undefined label, as Spin does. */
export function stateFiles(
  run: RunApp,
  first: FirstState,
  folder: string | undefined,
  config: RuntimeConfig,
): Pick<AppState, 'keyValue' | 'sqlite'> {
  const inFolder = (name: string): string | undefined =>
    folder === undefined ? undefined : join(folder, name)
  const withDefault = (files: StateFiles, name: string): Map<string, string | undefined> =>
    new Map([[DEFAULT, inFolder(name)], ...files])
  const keyValue = withDefault(config.keyValue, KEY_VALUE_FILE)
  const sqlite = withDefault(config.sqlite, SQLITE_FILE)
  const components = [...run.components.values()]
  for (const { id, keyValueStores } of components)
    for (const label of keyValueStores)
      if (!keyValue.has(label))
        throw new AppInvalid([
          {
            code: 'undefined-store',
            message: `unknown key_value_stores label ${JSON.stringify(label)} for component ${JSON.stringify(id)}: configure it with --runtime-config-file`,
          },
        ])
  const missing = components.flatMap(({ id, sqliteDatabases }) =>
    sqliteDatabases
      .filter((label) => !sqlite.has(label))
      .map((label) => `- Component ${id} uses database '${label}'`),
  )
  if (missing.length > 0)
    throw new AppInvalid([
      {
        code: 'undefined-store',
        message: [
          'One or more components use SQLite databases which are not defined.',
          'Check the spelling, or pass a runtime configuration file that defines these stores.',
          'See https://spinframework.dev/dynamic-configuration#sqlite-storage-runtime-configuration',
          'Details:',
          ...missing,
        ].join('\n'),
      },
    ])
  for (const [label] of first.sqlite)
    if (!sqlite.has(label))
      throw new CommandError(
        `a registered database named '${label}' was expected by --sqlite but not found: configure it with --runtime-config-file`,
      )
  const used = (
    files: StateFiles,
    labels: readonly string[],
    stored: ReadonlyArray<readonly [string, ...unknown[]]>,
  ): StateFiles =>
    new Map(
      [...files].filter(
        ([label]) => labels.includes(label) || stored.some(([other]) => other === label),
      ),
    )
  return {
    keyValue: used(
      keyValue,
      components.flatMap((one) => one.keyValueStores),
      first.keyValue,
    ),
    sqlite: used(
      sqlite,
      components.flatMap((one) => one.sqliteDatabases),
      first.sqlite,
    ),
  }
}

/** The initial state from `--key-value` and `--sqlite`; files are read. */
export async function readFirstState(flags: StateFlags, io: CliIo): Promise<FirstState> {
  return {
    keyValue: Array.from(flags.keyValue ?? [], ([key, value]) => [DEFAULT, key, value] as const),
    sqlite: await Promise.all(
      (flags.sqlite ?? []).map(async (text) => {
        if (!text.startsWith('@')) return [DEFAULT, text] as const
        const [file, label] = fileAndLabel(text)
        return [label, await readTextFile(resolve(io.cwd, file), 'SQL')] as const
      }),
    ),
  }
}

/** `@FILE` or `@FILE:LABEL`. */
function fileAndLabel(text: string): readonly [file: string, label: string] {
  const [file = '', label = DEFAULT] = text.slice(1).split(/:(.*)/s, 2)
  if (file.trim() === '' || label.trim() === '')
    throw new UsageError(`--sqlite ${text}: write a statement, @FILE or @FILE:LABEL`)
  return [file.trim(), label.trim()]
}

/** Stores initial state in files, and returns the rest, which each new thread stores in memory. */
export async function storeInFiles(
  files: Pick<AppState, 'keyValue' | 'sqlite'>,
  first: FirstState,
): Promise<FirstState> {
  const isFile =
    (of: StateFiles) =>
    ([label]: readonly [string, ...unknown[]]): boolean =>
      of.get(label) !== undefined
  const kept: FirstState = {
    keyValue: first.keyValue.filter(isFile(files.keyValue)),
    sqlite: first.sqlite.filter(isFile(files.sqlite)),
  }
  if (kept.keyValue.length + kept.sqlite.length > 0) await openAppState({ ...files, first: kept })
  return {
    keyValue: first.keyValue.filter((one) => !kept.keyValue.includes(one)),
    sqlite: first.sqlite.filter((one) => !kept.sqlite.includes(one)),
  }
}

/** The locations of stored data, in the wording of Spin. */
export function describeState({ keyValue, sqlite }: AppState, cwd: string): string[] {
  const line = (what: string, file: string | undefined): string[] =>
    file === undefined
      ? []
      : [`Storing default ${what} data to ${JSON.stringify(relative(cwd, file))}.`]
  return [...line('key-value', keyValue.get(DEFAULT)), ...line('SQLite', sqlite.get(DEFAULT))]
}
