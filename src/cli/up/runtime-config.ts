import { dirname, resolve } from 'node:path'
import { isJsonObject, type JsonObject } from '../../bytes/json.ts'
import { SpindleError } from '../../errors.ts'
import { parseTomlDocument } from '../../spin/manifest/toml.ts'
import { createBlockedNetworks } from '../../node/fetch/blocked-networks.ts'
import type { OutboundFetchOptions } from '../../node/fetch/outbound-fetch.ts'
import { nonEmpty } from '../../node/files/environment.ts'
import { CommandError, type CliIo } from '../terminal/io.ts'
import { readTextFile } from '../terminal/text-file.ts'

/** A source of variable values. The first provider with a value wins. */
export type VariableProvider =
  | { readonly type: 'static'; readonly values: Readonly<Record<string, string>> }
  | { readonly type: 'env'; readonly prefix: string; readonly dotenv: string | undefined }

/** Spin's runtime configuration, as far as it is supported; paths are absolute. */
export interface RuntimeConfig {
  /** Empty for none. */
  readonly stateDir?: string
  /** Empty for none. */
  readonly logDir?: string
  /** Bytes. */
  readonly maxMemory?: number
  readonly providers: readonly VariableProvider[]
  /** `[outbound_http]` and `[outbound_networking]`, where there is one of them. */
  readonly outbound?: Pick<
    OutboundFetchOptions,
    'blockNetworks' | 'connectionPooling' | 'maxConnections'
  >
  /** Files by label; `undefined` for memory. */
  readonly keyValue: ReadonlyMap<string, string | undefined>
  readonly sqlite: ReadonlyMap<string, string | undefined>
  /** A line about the configuration, printed at the start. */
  readonly summary: string | undefined
}

const NONE: RuntimeConfig = {
  providers: [],
  keyValue: new Map(),
  sqlite: new Map(),
  summary: undefined,
}

/** Tables of Spin that are not supported, with advice. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  client_tls: 'client certificates are not supported: leave the table out',
  llm_compute: 'language models are not supported: leave the table out',
  outbound_mqtt: 'MQTT is not supported: leave the table out',
  outbound_mysql: 'MySQL is not supported: leave the table out',
  outbound_pg: 'PostgreSQL is not supported: leave the table out',
  outbound_redis: 'Redis is not supported: leave the table out',
}

/**
 * Reads Spin's runtime configuration from the given file or `RUNTIME_CONFIG_FILE`. Unsupported
 * tables and keys that Spin does not know are refused by name.
 * @see https://spinframework.dev/dynamic-configuration
 */
export async function readRuntimeConfig(
  given: string | undefined,
  io: CliIo,
): Promise<RuntimeConfig> {
  const name = given ?? nonEmpty(io.env['RUNTIME_CONFIG_FILE'])
  if (name === undefined) return NONE
  const path = resolve(io.cwd, name)
  const text = await readTextFile(path, 'the runtime configuration')
  const root = parseTomlDocument(text, path).root
  const reader = createReader(path)
  const provided =
    root['variables_provider'] === undefined ? 'config_provider' : 'variables_provider'
  const known = new Set([
    'state_dir',
    'log_dir',
    'max_instance_memory',
    'key_value_store',
    'sqlite_database',
    'outbound_http',
    'outbound_networking',
    provided,
  ])
  for (const key of Object.keys(root))
    if (Object.hasOwn(UNSUPPORTED, key))
      throw new SpindleError('ERR_UNSUPPORTED', `${path}: [${key}]: ${UNSUPPORTED[key]}`)
  reader.refuseUnknown(root, known)
  const stateDir = reader.text(root, 'state_dir')
  const logDir = reader.text(root, 'log_dir')
  const maxMemory = reader.size(root, 'max_instance_memory')
  // As in Spin: stores are relative to the file, databases to the working directory.
  const keyValue = files(reader, root, 'key_value_store', dirname(path))
  const sqlite = files(reader, root, 'sqlite_database', io.cwd)
  const outbound = outboundOf(reader, root)
  const labels = [
    ...[...keyValue.keys()].map((label) => `[key_value_store.${label}: spin]`),
    ...[...sqlite.keys()].map((label) => `[sqlite_database.${label}: spin]`),
  ]
  return {
    ...(stateDir !== undefined && { stateDir: stateDir && resolve(io.cwd, stateDir) }),
    ...(logDir !== undefined && { logDir: logDir && resolve(io.cwd, logDir) }),
    ...(maxMemory !== undefined && { maxMemory }),
    ...(outbound !== undefined && { outbound }),
    providers: reader
      .tables(root, provided)
      .map((table, i) => providerOf(reader, table, `${provided}[${i}]`, io)),
    keyValue,
    sqlite,
    summary:
      labels.length === 0
        ? undefined
        : `Using runtime config ${labels.join(', ')} from ${JSON.stringify(name)}`,
  }
}

/** Options for outbound requests of components. HTTP is the only supported protocol. */
function outboundOf(reader: Reader, root: JsonObject): RuntimeConfig['outbound'] {
  const http = reader.table(root, 'outbound_http')
  const networking = reader.table(root, 'outbound_networking')
  if (http === undefined && networking === undefined) return undefined
  const tables: ReadonlyArray<readonly [string, JsonObject, readonly string[]]> = [
    [
      'outbound_http',
      http ?? {},
      ['connection_pooling', 'max_connections', 'max_concurrent_requests'],
    ],
    [
      'outbound_networking',
      networking ?? {},
      ['block_networks', 'max_socket_connections', 'max_total_connections'],
    ],
  ]
  for (const [place, table, known] of tables) reader.refuseUnknown(table, new Set(known), place)
  const count = (place: 'outbound_http' | 'outbound_networking', key: string) =>
    reader.count(place === 'outbound_http' ? http : networking, key, `${place}.${key}`)
  const ofHttp = count('outbound_http', 'max_connections')
  const older = count('outbound_http', 'max_concurrent_requests')
  if (ofHttp !== undefined && older !== undefined)
    throw reader.wrong(
      'outbound_http.max_concurrent_requests',
      'is the older name of max_connections: leave it out',
    )
  // Checked only: sockets are not supported.
  count('outbound_networking', 'max_socket_connections')
  const limits = [
    ofHttp,
    // Spin counts the older name from zero: zero allows one.
    older === undefined ? undefined : older + 1,
    count('outbound_networking', 'max_total_connections'),
  ].filter((limit) => limit !== undefined)
  const pooling = http?.['connection_pooling']
  if (pooling !== undefined && typeof pooling !== 'boolean')
    throw reader.wrong('outbound_http.connection_pooling', 'must be true or false')
  const networks = networking?.['block_networks'] ?? []
  if (!Array.isArray(networks) || !networks.every((network) => typeof network === 'string'))
    throw reader.wrong('outbound_networking.block_networks', 'must be an array of strings')
  try {
    createBlockedNetworks(networks)
  } catch (error) {
    throw reader.wrong('outbound_networking.block_networks:', (error as Error).message)
  }
  return {
    ...(networks.length > 0 && { blockNetworks: networks }),
    ...(limits.length > 0 && { maxConnections: Math.min(...limits) }),
    ...(pooling !== undefined && { connectionPooling: pooling }),
  }
}

/** Store types of Spin that need an external service. */
const SERVICES: ReadonlySet<string> = new Set(['aws_dynamo', 'azure_cosmos', 'libsql', 'redis'])

/** The files of a table of labels, each of type `spin`. */
function files(
  reader: Reader,
  root: JsonObject,
  kind: 'key_value_store' | 'sqlite_database',
  folder: string,
): ReadonlyMap<string, string | undefined> {
  const tables = reader.table(root, kind) ?? {}
  return new Map(
    Object.keys(tables).map((label) => {
      const place = `${kind}.${label}`
      const table = reader.table(tables, label, place) as JsonObject
      const type = reader.text(table, 'type', `${place}.type`)
      if (type === undefined) throw reader.wrong(`${place}.type`, 'is missing: write type = "spin"')
      if (SERVICES.has(type)) throw serviceOf(reader, place, type)
      if (type !== 'spin')
        throw reader.wrong(`${place}.type`, `is ${JSON.stringify(type)}: write type = "spin"`)
      const attach = table['allow_attach_file'] ?? false
      const isDatabase = kind === 'sqlite_database'
      if (isDatabase && attach === true)
        throw new SpindleError(
          'ERR_UNSUPPORTED',
          `${reader.path}: ${place}.allow_attach_file: ATTACH is not supported: leave it out`,
        )
      if (isDatabase && attach !== false)
        throw reader.wrong(`${place}.allow_attach_file`, 'must be true or false')
      reader.refuseUnknown(
        table,
        new Set(['type', 'path', ...(isDatabase ? ['allow_attach_file'] : [])]),
        place,
      )
      const path = reader.text(table, 'path', `${place}.path`)
      return [label, path === undefined ? undefined : resolve(folder, path)]
    }),
  )
}

function serviceOf({ path }: Reader, place: string, type: string): SpindleError {
  return new SpindleError(
    'ERR_UNSUPPORTED',
    `${path}: ${place}: type "${type}" is not supported: write type = "spin", with a path`,
  )
}

function providerOf(reader: Reader, table: JsonObject, place: string, io: CliIo): VariableProvider {
  const type = reader.text(table, 'type', `${place}.type`)
  switch (type) {
    case 'static': {
      reader.refuseUnknown(table, new Set(['type', 'values']), place)
      const values = reader.table(table, 'values', `${place}.values`)
      if (values === undefined) throw reader.wrong(`${place}.values`, 'is missing')
      return {
        type,
        values: Object.fromEntries(
          Object.keys(values).map((name) => [
            name,
            reader.text(values, name, `${place}.values.${name}`) as string,
          ]),
        ),
      }
    }
    case 'env': {
      reader.refuseUnknown(table, new Set(['type', 'prefix', 'dotenv_path']), place)
      const dotenv = reader.text(table, 'dotenv_path', `${place}.dotenv_path`)
      return {
        type,
        prefix: reader.text(table, 'prefix', `${place}.prefix`) ?? 'SPIN_VARIABLE',
        dotenv: dotenv === undefined ? undefined : resolve(io.cwd, dotenv),
      }
    }
    case 'vault':
    case 'azure_key_vault':
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `${reader.path}: ${place}: type "${type}" is not supported: write type = "static" or "env", or give values with --variable`,
      )
    default:
      throw reader.wrong(`${place}.type`, 'must be "static" or "env"')
  }
}

interface Reader {
  readonly path: string
  wrong(place: string, what: string): CommandError
  text(table: JsonObject, key: string, place?: string): string | undefined
  size(table: JsonObject, key: string): number | undefined
  count(table: JsonObject | undefined, key: string, place: string): number | undefined
  table(table: JsonObject, key: string, place?: string): JsonObject | undefined
  tables(table: JsonObject, key: string): readonly JsonObject[]
  refuseUnknown(table: JsonObject, known: ReadonlySet<string>, place?: string): void
}

/** Creates a reader of typed values, whose errors name the file and the key. */
function createReader(path: string): Reader {
  const wrong = (place: string, what: string): CommandError =>
    new CommandError(`${path}: ${place} ${what}`)
  const own = (table: JsonObject, key: string): unknown =>
    Object.hasOwn(table, key) ? table[key] : undefined
  return {
    path,
    wrong,
    text(table, key, place = key) {
      const value = own(table, key)
      if (value === undefined || typeof value === 'string') return value
      throw wrong(place, 'must be a string')
    },
    size(table, key) {
      const value = own(table, key)
      if (value === undefined) return undefined
      const number = typeof value === 'bigint' ? Number(value) : value
      if (typeof number === 'number' && Number.isSafeInteger(number) && number > 0) return number
      throw wrong(key, 'must be a number of bytes')
    },
    count(table, key, place) {
      const value = table === undefined ? undefined : own(table, key)
      if (value === undefined) return undefined
      const number = typeof value === 'bigint' ? Number(value) : value
      if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number
      throw wrong(place, 'must be a number of connections')
    },
    table(table, key, place = key) {
      const value = own(table, key)
      if (value === undefined || isJsonObject(value)) return value
      throw wrong(place, 'must be a table')
    },
    tables(table, key) {
      const value = own(table, key)
      if (value === undefined) return []
      if (Array.isArray(value) && value.every(isJsonObject)) return value
      throw wrong(key, `must be an array of tables: write [[${key}]]`)
    },
    refuseUnknown(table, known, place) {
      const unknown = Object.keys(table).filter((key) => !known.has(key))
      if (unknown.length === 0) return
      const keys = unknown.map((key) => (place === undefined ? key : `${place}.${key}`))
      throw new CommandError(`${path}: unused runtime config key(s): ${keys.join(', ')}`)
    },
  }
}
