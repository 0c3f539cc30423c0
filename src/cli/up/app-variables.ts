import { join, resolve } from 'node:path'
import { InvalidArgumentError } from 'commander'
import { isJsonObject, parseUniqueJson } from '../../bytes/json.ts'
import { decodeUtf8, encodeUtf8 } from '../../bytes/text.ts'
import { parseTomlDocument } from '../../spin/manifest/toml.ts'
import { readFileBounded } from '../../node/files/bounded-file.ts'
import { parseDotEnv } from '../app/dot-env.ts'
import { CommandError, type CliIo } from '../terminal/io.ts'
import type { VariableProvider } from './runtime-config.ts'
import { readTextFile } from '../terminal/text-file.ts'

/** `KEY=VALUE`, `KEY=@FILE`, `@FILE.json` or `@FILE.toml`, unparsed: files are read later. */
export function variableOption(text: string, before: readonly string[] = []): readonly string[] {
  if (!text.startsWith('@') && text.indexOf('=') < 1)
    throw new InvalidArgumentError('Write KEY=VALUE, KEY=@FILE, @FILE.json or @FILE.toml.')
  return [...before, text]
}

/** The prefix of Spin's default provider, which comes after all configured ones. */
const PREFIX = 'SPIN_VARIABLE'

/**
 * Values of an application's variables, as Spin finds them: those given, the last one first, then of
 * the providers of a runtime configuration, then `SPIN_VARIABLE_NAME` in the environment, then in `.env`
 * beside a manifest. Like Spin, it reads `.env` only for declared variables that have no value yet.
 */
export async function readVariables(
  given: readonly string[],
  declared: readonly string[],
  {
    providers,
    folder,
  }: { readonly providers: readonly VariableProvider[]; readonly folder: string | undefined },
  io: CliIo,
): Promise<Readonly<Record<string, string>>> {
  const values = new Map<string, string>()
  for (const text of given) {
    if (text.startsWith('@')) {
      for (const [name, value] of await readFileOf(resolve(io.cwd, text.slice(1))))
        values.set(name, value)
      continue
    }
    const equals = text.indexOf('=')
    const value = text.slice(equals + 1)
    values.set(
      text.slice(0, equals),
      value.startsWith('@')
        ? await readTextFile(resolve(io.cwd, value.slice(1)), "the variable's value")
        : value,
    )
  }
  const standard: VariableProvider = {
    type: 'env',
    prefix: PREFIX,
    dotenv: folder === undefined ? undefined : join(folder, '.env'),
  }
  for (const provider of [...providers, standard]) {
    const missing = declared.filter((name) => !values.has(name))
    for (const [name, value] of await valuesOf(provider, missing, io)) values.set(name, value)
  }
  return Object.fromEntries(values)
}

async function valuesOf(
  provider: VariableProvider,
  wanted: readonly string[],
  io: CliIo,
): Promise<Array<readonly [name: string, value: string]>> {
  const find = (
    names: readonly string[],
    valueOf: (name: string) => string | undefined,
  ): Array<readonly [string, string]> =>
    names.flatMap((name) => {
      const value = valueOf(name)
      return value === undefined ? [] : [[name, value] as const]
    })
  if (provider.type === 'static') {
    const { values } = provider
    return find(wanted, (name) => (Object.hasOwn(values, name) ? values[name] : undefined))
  }
  const { prefix, dotenv } = provider
  const keyOf = (name: string): string => `${prefix}_${name.toUpperCase()}`
  const found = find(wanted, (name) => io.env[keyOf(name)])
  const rest = wanted.filter((name) => io.env[keyOf(name)] === undefined)
  if (dotenv === undefined || rest.length === 0) return found
  const file = await readDotEnv(dotenv, io)
  return [...found, ...find(rest, (name) => file.get(keyOf(name)))]
}

/**
 * Warnings about values for undeclared variables. Spin ignores such values silently, so they are not
 * an error, but a misspelt name would go unnoticed. Values from files are not reported: a
 * file can serve several applications.
 */
export function undeclaredVariables(
  given: readonly string[],
  declared: ReadonlyMap<string, unknown>,
): string[] {
  const names = given.filter((text) => !text.startsWith('@')).map((text) => text.split('=', 1)[0])
  const known = declared.size === 0 ? 'none' : [...declared.keys()].join(', ')
  return [...new Set(names)]
    .filter((name) => name !== undefined && !declared.has(name))
    .map((name) => `the application declares no variable "${name}"; it declares ${known}`)
}

async function readFileOf(path: string): Promise<[string, string][]> {
  const text = await readTextFile(path, 'the variables')
  const table = path.endsWith('.toml')
    ? parseTomlDocument(text, path).root
    : path.endsWith('.json')
      ? parseUniqueJson(encodeUtf8(text), path)
      : undefined
  if (table === undefined)
    throw new CommandError(`variables are read from a .json or .toml file, not from ${path}`)
  if (!isJsonObject(table))
    throw new CommandError(
      `${path} with the variables is not a table: write { "NAME": "VALUE" }, or NAME = "VALUE" in TOML`,
    )
  return Object.entries(table).map(([name, value]) => {
    if (!['string', 'number', 'boolean', 'bigint'].includes(typeof value))
      throw new CommandError(
        `${path}: the variable ${JSON.stringify(name)} is not a string, number or boolean`,
      )
    return [name, String(value)]
  })
}

/** Maximum bytes of a `.env` file. */
const MAX_DOT_ENV = 256 * 1024

async function readDotEnv(path: string, { env }: CliIo): Promise<ReadonlyMap<string, string>> {
  const bytes = await readFileBounded(path, MAX_DOT_ENV)
  if (bytes === undefined) return new Map()
  const text = decodeUtf8(bytes)
  if (text === undefined) throw new CommandError(`${path} is not UTF-8 text`)
  return parseDotEnv(text, env, path)
}
