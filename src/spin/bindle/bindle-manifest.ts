import type { Json } from '../../bytes/json.ts'
import {
  type Fields,
  flag,
  invalid,
  optional,
  reader,
  required,
  stringList,
  stringMap,
  table,
  tables,
  text,
} from '../../bytes/fields.ts'
import { formatToml, parseToml } from '../../bytes/toml.ts'

/** Media type of the parcel that makes an invoice a Spin application. */
export const BINDLE_MANIFEST_TYPE = 'application/vnd.fermyon.spin+toml'

/**
 * The application as Spin 0.2 to 1.5 kept it in a bindle: camelCase, unlike `spin.toml`. Name,
 * version, description and authors stand in the invoice.
 * @see Spin 1.5, crates/loader/src/bindle/config.rs
 */
export interface BindleManifest {
  /** `type` and what is global to triggers of that type. */
  readonly trigger: { readonly type: string } & Readonly<Record<string, Json>>
  readonly variables?: Readonly<Record<string, BindleVariable>>
  readonly component: readonly BindleComponent[]
}

interface BindleVariable {
  readonly required?: boolean
  readonly default?: string
  readonly secret?: boolean
}

export interface BindleComponent {
  /** SHA-256 of the Wasm parcel. */
  readonly source: string
  readonly id: string
  readonly description?: string
  /** Group whose parcels are the component's files. */
  readonly files?: string
  readonly allowedHttpHosts?: readonly string[]
  readonly keyValueStores?: readonly string[]
  readonly sqliteDatabases?: readonly string[]
  readonly aiModels?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** What is the component's own of the trigger: `route` or `channel`, `executor`, or what else the type knows. */
  readonly trigger: Readonly<Record<string, Json>>
  readonly config?: Readonly<Record<string, string>>
}

/**
 * Reads a manifest parcel, of any version of Spin that wrote one.
 * @throws `ERR_CONTENT_INVALID` naming the place; unknown keys are refused, as Spin does.
 */
export function parseBindleManifest(bytes: Uint8Array, what: string): BindleManifest {
  const fields = reader(parseToml(bytes, what), what)
  const trigger = required(fields, 'trigger', jsonTable)
  if (typeof trigger['type'] !== 'string') throw invalid(`${what}.trigger`, 'lacks "type"')
  // 0.2 to 0.4 wrote the variables under `config`.
  const variables =
    optional(fields, 'variables', variableMap).variables ??
    optional(fields, 'config', variableMap).config
  const manifest: BindleManifest = {
    trigger: { ...trigger, type: trigger['type'] },
    ...(variables === undefined ? {} : { variables }),
    component: required(fields, 'component', tables(readComponent)),
  }
  fields.end()
  return manifest
}

function readComponent(fields: Fields): BindleComponent {
  return {
    source: required(fields, 'source', text),
    id: required(fields, 'id', text),
    ...optional(fields, 'description', text),
    ...optional(fields, 'files', text),
    ...optional(fields, 'allowedHttpHosts', stringList),
    ...optional(fields, 'keyValueStores', stringList),
    ...optional(fields, 'sqliteDatabases', stringList),
    ...optional(fields, 'aiModels', stringList),
    ...optional(fields, 'environment', stringMap),
    trigger: required(fields, 'trigger', jsonTable),
    ...optional(fields, 'config', stringMap),
  }
}

function variableMap(value: unknown, place: string): Record<string, BindleVariable> {
  const fields = reader(value, place)
  return Object.fromEntries(
    fields.keys().map((name) => [
      name,
      required(
        fields,
        name,
        table((inner) => ({
          ...optional(inner, 'required', flag),
          ...optional(inner, 'default', text),
          ...optional(inner, 'secret', flag),
        })),
      ),
    ]),
  )
}

/** A table of values that JSON has too; TOML's dates are not among them. */
function jsonTable(value: unknown, place: string): Record<string, Json> {
  const fields = reader(value, place)
  return Object.fromEntries(fields.keys().map((key) => [key, required(fields, key, toJson)]))
}

function toJson(value: unknown, place: string): Json {
  if (Array.isArray(value)) return value.map((item, index) => toJson(item, `${place}[${index}]`))
  if (['string', 'boolean', 'number'].includes(typeof value)) return value as Json
  if (value instanceof Date || typeof value !== 'object' || value === null)
    throw invalid(place, 'is a value that JSON does not have')
  return jsonTable(value, place)
}

/** Sorted throughout, so that the same application gives the same parcel: Spin's order was random. */
export function formatBindleManifest(manifest: BindleManifest): Uint8Array<ArrayBuffer> {
  return formatToml(
    pick({
      trigger: sorted(manifest.trigger),
      variables: manifest.variables === undefined ? undefined : sorted(manifest.variables),
      component: manifest.component.map((component) =>
        pick({
          source: component.source,
          id: component.id,
          description: component.description,
          files: component.files,
          allowedHttpHosts: component.allowedHttpHosts,
          keyValueStores: component.keyValueStores,
          sqliteDatabases: component.sqliteDatabases,
          aiModels: component.aiModels,
          environment:
            component.environment === undefined ? undefined : sorted(component.environment),
          trigger: sorted(component.trigger),
          config: component.config === undefined ? undefined : sorted(component.config),
        }),
      ),
    }),
  )
}

function pick(entries: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined))
}

function sorted(value: unknown): Readonly<Record<string, unknown>> {
  const deep = (inner: unknown): unknown =>
    Array.isArray(inner)
      ? inner.map(deep)
      : typeof inner === 'object' && inner !== null
        ? sorted(inner)
        : inner
  return Object.fromEntries(
    Object.entries(value as object)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, deep(inner)]),
  )
}
