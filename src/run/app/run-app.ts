import { SpindleError } from '../../errors.ts'
import { isJsonObject, type Json } from '../../bytes/json.ts'
import { convertAllowedHttpHosts } from '../../spin/manifest/allowed-http-hosts.ts'
import type { App, AppComponent } from '../../spin/source/app.ts'
import type { LockedApp, LockedComponent } from '../../spin/lock/locked-app.ts'
import type { PulledApp } from '../../spin/artifact/pulled-app.ts'
import { readBytes } from '../../bytes/read-bytes.ts'
import type { Descriptor, FileTree } from '../../types.ts'

/** An application as the runtime needs it, local or pulled. */
export interface RunApp {
  readonly name: string
  readonly version: string | undefined
  /** Digest of the manifest, for an application from a registry. */
  readonly imageDigest: string | undefined
  /** Prefix of all routes, from manifests before Spin 3. */
  readonly base: string
  readonly variables: ReadonlyMap<string, { readonly default?: string | undefined }>
  readonly triggers: readonly RunTrigger[]
  /** Triggers of other types, which this host does not run. */
  readonly otherTriggers: ReadonlyArray<{ readonly id: string; readonly type: string }>
  readonly components: ReadonlyMap<string, RunComponent>
}

export interface RunTrigger {
  readonly id: string
  /** Configuration of the `http` trigger. */
  readonly config: Readonly<Record<string, Json>>
}

export interface RunComponent {
  readonly id: string
  readonly env: Readonly<Record<string, string>>
  /** Its variables: templates. */
  readonly config: Readonly<Record<string, string>>
  readonly allowedHosts: readonly string[]
  readonly keyValueStores: readonly string[]
  readonly sqliteDatabases: readonly string[]
  readonly aiModels: readonly string[]
  readonly wasm: () => Promise<Uint8Array>
  readonly files: () => Promise<FileTree>
  readonly dependencies: readonly RunDependency[]
}

/** A component that satisfies imports of another, and the permissions that it inherits from it. */
export interface RunDependency {
  /** The import: `ns:package[/interface][@version]`, or a plain name. */
  readonly name: string
  /** The export that satisfies it. Default: the export with the name of the import. */
  readonly export: string | undefined
  readonly inherit: 'all' | readonly string[]
  readonly wasm: () => Promise<Uint8Array>
}

/** A locked application and functions that read its contents. Without a descriptor it has no digest. */
export interface LockedContents {
  readonly locked: LockedApp
  readonly descriptor?: Descriptor
  component(id: string): Promise<Uint8Array>
  dependency(id: string, name: string): Promise<Uint8Array>
  files(id: string): Promise<FileTree>
}

export function isPulledApp(app: App | PulledApp): app is PulledApp {
  return 'locked' in app
}

/** Whether triggers of the application have middleware that is not composed yet. */
export function hasMiddleware(app: App | PulledApp): boolean {
  return isPulledApp(app)
    ? app.locked.components.some((component) => middlewareOf(component) !== undefined)
    : app.triggers.some(({ type, dependencies }) => type === 'http' && dependencies.size > 0)
}

/**
 * Builds a `RunApp` without reading contents.
 *
 * Throws `ERR_UNSUPPORTED` for host requirements that are not met. Components with middleware cannot
 * be read: see `openRunApp`.
 */
export function runAppOf(app: App | LockedContents): RunApp {
  return 'locked' in app ? fromLocked(app) : fromApp(app)
}

function object(value: Json | undefined): Readonly<Record<string, Json>> {
  return isJsonObject(value) ? value : {}
}

function strings(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

function own(table: Readonly<Record<string, Json>>, key: string): Json | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

// Host requirements that this host supports.
const FEATURES: ReadonlySet<string> = new Set(['local_service_chaining', 'middleware'])

function checkRequirements(holder: LockedApp | LockedComponent): void {
  const missing = Object.entries(holder.host_requirements ?? {})
    .filter(([name, need]) => need !== 'optional' && !FEATURES.has(name))
    .map(([name]) => name)
  if (missing.length > 0) {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `the application requires features that this host doesn't support: ${missing.join(', ')}`,
    )
  }
}

function middlewareOf({ trigger_dependencies: roles = {} }: LockedComponent): string | undefined {
  return Object.entries(roles).find(([, list]) => list.length > 0)?.[0]
}

/** Rejects a component whose middleware is not composed: the middleware can implement access control. */
function readComposed(
  id: string,
  role: string | undefined,
  read: () => Promise<Uint8Array>,
): () => Promise<Uint8Array> {
  return role === undefined
    ? read
    : () =>
        Promise.reject(
          new SpindleError('ERR_UNSUPPORTED', `component "${id}" has ${role} that is not composed`),
        )
}

function fromLocked(app: LockedContents): RunApp {
  const { locked } = app
  checkRequirements(locked)
  const metadata = object(locked.metadata)
  const http = object(own(object(own(metadata, 'triggers')), 'http'))
  const single = object(own(metadata, 'trigger'))
  return {
    name: text(own(metadata, 'name')) ?? 'app',
    version: text(own(metadata, 'version')),
    imageDigest: app.descriptor?.digest,
    base: text(own(http, 'base')) ?? text(own(single, 'base')) ?? '/',
    variables: new Map(Object.entries(locked.variables ?? {})),
    triggers: locked.triggers
      .filter((trigger) => trigger.trigger_type === 'http')
      .map((trigger) => ({ id: trigger.id, config: object(trigger.trigger_config) })),
    otherTriggers: locked.triggers
      .filter((trigger) => trigger.trigger_type !== 'http')
      .map(({ id, trigger_type: type }) => ({ id, type })),
    components: new Map(
      locked.components.map((component) => [component.id, lockedComponent(app, component)]),
    ),
  }
}

function lockedComponent(app: LockedContents, component: LockedComponent): RunComponent {
  checkRequirements(component)
  const metadata = object(component.metadata)
  return {
    id: component.id,
    env: component.env ?? {},
    config: component.config ?? {},
    allowedHosts: [
      ...strings(own(metadata, 'allowed_outbound_hosts')),
      // Spin before 2.0 wrote only these.
      ...convertAllowedHttpHosts([...strings(own(metadata, 'allowed_http_hosts'))], {
        allowDatabases: false,
      }).converted,
    ],
    keyValueStores: strings(own(metadata, 'key_value_stores')),
    sqliteDatabases: strings(own(metadata, 'databases')),
    aiModels: strings(own(metadata, 'ai_models')),
    wasm: readComposed(component.id, middlewareOf(component), () => app.component(component.id)),
    files: () => app.files(component.id),
    dependencies: Object.entries(component.dependencies ?? {}).map(
      ([name, { export: given, inherit }]) => ({
        name,
        export: given ?? undefined,
        inherit: inherit === 'All' ? 'all' : (inherit?.Some ?? []),
        wasm: () => app.dependency(component.id, name),
      }),
    ),
  }
}

function fromApp(app: App): RunApp {
  const { application } = app.manifest
  const around = new Map(
    app.triggers.flatMap(({ table, dependencies }) =>
      [...dependencies.keys()].map((role) => [table.component, role] as const),
    ),
  )
  return {
    name: application.name,
    version: text(application.version),
    imageDigest: undefined,
    base: text(own(object(application.trigger?.['http'] as Json | undefined), 'base')) ?? '/',
    variables: new Map(Object.entries(app.manifest.variables ?? {})),
    triggers: app.triggers
      .filter((trigger) => trigger.type === 'http')
      .map(({ id, table }) => {
        const component = typeof table.component === 'string' ? { component: table.component } : {}
        return { id, config: { ...table.config, ...component } }
      }),
    otherTriggers: app.triggers
      .filter(({ type }) => type !== 'http')
      .map(({ id, type }) => ({ id, type })),
    components: new Map(
      app.components.map((component) => [
        component.id,
        localComponent(component, around.get(component.id)),
      ]),
    ),
  }
}

function localComponent(
  { id, table, wasmContent, fileTree, dependencies }: AppComponent,
  role: string | undefined,
): RunComponent {
  return {
    id,
    env: table.environment ?? {},
    config: table.variables ?? {},
    allowedHosts: [
      ...(table.allowed_outbound_hosts ?? []),
      ...convertAllowedHttpHosts([...(table.allowed_http_hosts ?? [])], { allowDatabases: false })
        .converted,
    ],
    keyValueStores: table.key_value_stores ?? [],
    sqliteDatabases: table.sqlite_databases ?? [],
    aiModels: table.ai_models ?? [],
    wasm: readComposed(id, role, () => readBytes(wasmContent)),
    files: () => Promise.resolve(fileTree),
    dependencies: Array.from(dependencies, ([name, { export: given, inherit = [], wasm }]) => ({
      name,
      export: given,
      inherit,
      wasm: () => readBytes(wasm),
    })),
  }
}
