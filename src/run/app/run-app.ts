import { SpindleError } from '../../errors.ts'
import { isJsonObject, type Json } from '../../bytes/json.ts'
import { convertAllowedHttpHosts } from '../../spin/manifest/allowed-http-hosts.ts'
import type { App, AppComponent } from '../../spin/source/app.ts'
import type { LockedApp, LockedComponent } from '../../spin/lock/locked-app.ts'
import type { PulledApp } from '../../spin/artifact/pulled-app.ts'
import type { RunDependency } from './dependencies.ts'
import { bytesOf } from '../host/wasi/file-system.ts'
import type { FileTree } from '../../types.ts'

/** What running needs to know of an application, wherever it comes from. */
export interface RunApp {
  readonly name: string
  readonly version: string | undefined
  /** The manifest's digest, of an application from a registry. */
  readonly imageDigest: string | undefined
  /** Prefix of all routes, of manifests before Spin 3. */
  readonly base: string
  readonly variables: ReadonlyMap<string, { readonly default?: string | undefined }>
  readonly triggers: readonly RunTrigger[]
  /** Triggers that nothing runs here: of other types. */
  readonly otherTriggers: ReadonlyArray<{ readonly id: string; readonly type: string }>
  readonly components: ReadonlyMap<string, RunComponent>
}

export interface RunTrigger {
  readonly id: string
  /** Of the `http` trigger. */
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

export function isPulledApp(app: App | PulledApp): app is PulledApp {
  return 'locked' in app
}

/** Rejects with `ERR_UNSUPPORTED` what needs composing or a feature that isn't there. */
export function runAppOf(app: App | PulledApp): RunApp {
  return isPulledApp(app) ? fromPulled(app) : fromApp(app)
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

// What this host can do for an application that asks for it by name.
const FEATURES: ReadonlySet<string> = new Set(['local_service_chaining'])

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

function checkComposed(id: string, dependencies: Iterable<string>): void {
  const [first] = dependencies
  if (first === undefined) return
  throw new SpindleError(
    'ERR_UNSUPPORTED',
    `"${id}" has middleware ("${first}") that is not composed into it: push it with composing, or compose it when building`,
  )
}

function fromPulled(app: PulledApp): RunApp {
  const { locked } = app
  checkRequirements(locked)
  const metadata = object(locked.metadata)
  const http = object(own(object(own(metadata, 'triggers')), 'http'))
  const single = object(own(metadata, 'trigger'))
  return {
    name: text(own(metadata, 'name')) ?? 'app',
    version: text(own(metadata, 'version')),
    imageDigest: app.descriptor.digest,
    base: text(own(http, 'base')) ?? text(own(single, 'base')) ?? '/',
    variables: new Map(Object.entries(locked.variables ?? {})),
    triggers: locked.triggers
      .filter((trigger) => trigger.trigger_type === 'http')
      .map((trigger) => ({ id: trigger.id, config: object(trigger.trigger_config) })),
    otherTriggers: locked.triggers
      .filter((trigger) => trigger.trigger_type !== 'http')
      .map(({ id, trigger_type: type }) => ({ id, type })),
    components: new Map(
      locked.components.map((component) => [component.id, pulledComponent(app, component)]),
    ),
  }
}

function pulledComponent(app: PulledApp, component: LockedComponent): RunComponent {
  checkRequirements(component)
  checkComposed(component.id, Object.keys(component.trigger_dependencies ?? {}))
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
    wasm: () => app.component(component.id),
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
  return {
    name: application.name,
    version: text(application.version),
    imageDigest: undefined,
    base: text(own(object(application.trigger?.['http'] as Json | undefined), 'base')) ?? '/',
    variables: new Map(Object.entries(app.manifest.variables ?? {})),
    triggers: app.triggers
      .filter((trigger) => trigger.type === 'http')
      .map(({ id, table, dependencies }) => {
        checkComposed(id, dependencies.keys())
        const component = typeof table.component === 'string' ? { component: table.component } : {}
        return { id, config: { ...table.config, ...component } }
      }),
    otherTriggers: app.triggers
      .filter(({ type }) => type !== 'http')
      .map(({ id, type }) => ({ id, type })),
    components: new Map(
      app.components.map((component) => [component.id, localComponent(component)]),
    ),
  }
}

function localComponent({ id, table, wasm, files, dependencies }: AppComponent): RunComponent {
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
    wasm: () => bytesOf(wasm),
    files: () => Promise.resolve(files),
    dependencies: Array.from(dependencies, ([name, { export: given, inherit = [], wasm }]) => ({
      name,
      export: given,
      inherit,
      wasm: () => bytesOf(wasm),
    })),
  }
}
