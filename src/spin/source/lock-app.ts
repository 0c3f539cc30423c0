import { forEachBounded } from '../../bytes/concurrency.ts'
import { formatBase64Unpadded } from '../../bytes/base64.ts'
import { type Json, ownValue, toRecord } from '../../bytes/json.ts'
import { describeContent } from '../../bytes/describe.ts'
import { readExactly } from '../../bytes/stream.ts'
import type { Content, CreateHasher, Digest } from '../../types.ts'
import { convertAllowedHttpHosts } from '../manifest/allowed-http-hosts.ts'
import type { App, AppComponent, AppDependency, AppTrigger } from './app.ts'
import type { AppManifest, ConfigTable } from '../manifest/app-manifest.ts'
import { isServiceChainingHost, readAllowedHost } from '../manifest/outbound-hosts.ts'
import type {
  ContentRef,
  LockedApp,
  LockedComponent,
  LockedDependency,
  LockedSource,
  LockedVariable,
  LockResult,
  MustUnderstand,
} from '../lock/locked-app.ts'
import { INLINE_BYTES } from '../artifact/pack.ts'
import { assignTriggerDependencies, type UnassignedTrigger } from '../lock/trigger-dependencies.ts'

/** Files hashed at once; each may be held in memory for that, up to `COLLECT_BYTES`. */
const HASH_CONCURRENCY = 4

export interface LockAppOptions {
  signal?: AbortSignal | undefined
  /** Streaming hasher for content that is too large to hold. Default: a portable one. */
  createHasher?: CreateHasher | undefined
  /** Whether to keep components' `build` tables. Default `false`: they tell how a machine is set up. */
  build?: boolean
  /** URL of the manifest, for `metadata.origin`. Default: none, as what is pushed has none. */
  origin?: string
}

type Refs = ReadonlyMap<Uint8Array | Content, ContentRef>

/**
 * Locks an application: every file by its digest, every default filled in, nothing of the machine.
 *
 * Exported from `spindle/app`. The same files give the same lock.
 *
 * @example What would be pushed
 * ```ts
 * const { locked, contents } = await lockApp(await loadApp(files))
 * ```
 *
 * Rejects with what reading the files rejects with; with `signal.reason` when aborted.
 */
export async function lockApp(app: App, options: LockAppOptions = {}): Promise<LockResult> {
  const { refs, contents } = await hashContents(app, options)
  const { manifest } = app
  const unassigned = app.triggers.map((trigger) => lockTrigger(trigger, refs))
  const declared = app.components.map((component) => lockComponent(component, refs, options))
  const { triggers, components } = assignTriggerDependencies(unassigned, declared)
  const mustUnderstand: readonly MustUnderstand[] = components.some(
    ({ host_requirements }) => host_requirements !== undefined,
  )
    ? ['component_host_requirements']
    : []
  const variables = lockVariables(manifest)
  const locked: LockedApp = {
    spin_lock_version: mustUnderstand.length > 0 ? 1 : 0,
    ...(mustUnderstand.length > 0 ? { must_understand: mustUnderstand } : {}),
    metadata: lockMetadata(app, options),
    ...(variables === undefined ? {} : { variables }),
    triggers,
    components,
  }
  return { locked, contents }
}

async function hashContents(
  app: App,
  options: LockAppOptions,
): Promise<{ refs: Refs; contents: ReadonlyMap<Digest, Uint8Array | Content> }> {
  const wanted = new Set<Uint8Array | Content>()
  for (const { wasmContent, dependencies, fileTree } of app.components) {
    wanted.add(wasmContent)
    for (const dependency of dependencies.values()) wanted.add(dependency.wasm)
    for (const file of fileTree.values()) wanted.add(file)
  }
  for (const { dependencies } of app.triggers) {
    for (const dependency of [...dependencies.values()].flat()) wanted.add(dependency.wasm)
  }
  const refs = new Map<Uint8Array | Content, ContentRef>()
  const { signal: outer, createHasher } = options
  await forEachBounded(
    wanted,
    HASH_CONCURRENCY,
    async (content, signal) => {
      const { digest, size } = await describeContent(content, '', {
        signal,
        createHasher,
      })
      const inline =
        size > INLINE_BYTES
          ? undefined
          : formatBase64Unpadded(await readExactly(content, size, 'the file', signal))
      refs.set(content, { ...(inline === undefined ? {} : { inline }), digest })
    },
    outer,
  )
  // In the order of the application, not in that in which hashes were done.
  const contents = new Map<Digest, Uint8Array | Content>()
  for (const content of wanted) {
    const { digest } = refs.get(content) as ContentRef
    if (!contents.has(digest)) contents.set(digest, content)
  }
  return { refs, contents }
}

function lockSource(wasm: Uint8Array | Content, refs: Refs): LockedSource {
  return { content_type: 'application/wasm', ...(refs.get(wasm) as ContentRef) }
}

function lockDependency(dependency: AppDependency, refs: Refs): LockedDependency {
  const { inherit } = dependency
  return {
    source: lockSource(dependency.wasm, refs),
    export: dependency.export ?? null,
    ...(inherit === undefined ? {} : { inherit: inherit === 'all' ? 'All' : { Some: inherit } }),
  }
}

function lockTrigger({ id, type, table, dependencies }: AppTrigger, refs: Refs): UnassignedTrigger {
  const { component, components, config } = table
  return {
    id,
    trigger_type: type,
    trigger_config: toRecord<Json>([
      ...Object.entries(config),
      ...(typeof component === 'string' ? [['component', component] as const] : []),
      // By now these are ids only.
      ...(components === undefined
        ? []
        : [['components', components as Readonly<Record<string, Json>>] as const]),
    ]),
    dependencies: toRecord(
      [...dependencies].map(([role, list]) => [
        role,
        list.map((dependency) => lockDependency(dependency, refs)),
      ]),
    ),
  }
}

function lockComponent(
  { id, table, wasmContent, fileTree, dependencies }: AppComponent,
  refs: Refs,
  options: LockAppOptions,
): LockedComponent {
  const hosts = [
    ...(table.allowed_outbound_hosts ?? []),
    ...convertAllowedHttpHosts(table.allowed_http_hosts ?? [], { allowDatabases: false }).converted,
  ]
  const metadata = toRecord<Json>(
    Object.entries({
      description: table.description,
      allowed_outbound_hosts: hosts,
      key_value_stores: table.key_value_stores,
      databases: table.sqlite_databases,
      ai_models: table.ai_models,
      build: options.build === true ? lockBuild(table.build) : undefined,
    }).filter((entry): entry is [string, Json] => !isEmpty(entry[1])),
  )
  return {
    id,
    ...(isEmpty(metadata) ? {} : { metadata }),
    source: lockSource(wasmContent, refs),
    ...(isEmpty(table.environment) ? {} : { env: table.environment }),
    ...(fileTree.size === 0
      ? {}
      : {
          files: [...fileTree].map(([path, file]) => ({ ...(refs.get(file) as ContentRef), path })),
        }),
    ...(isEmpty(table.variables) ? {} : { config: table.variables }),
    ...(dependencies.size === 0
      ? {}
      : {
          dependencies: toRecord(
            [...dependencies].map(([name, dependency]) => [name, lockDependency(dependency, refs)]),
          ),
        }),
    ...(hosts.some(requiresChaining)
      ? { host_requirements: toRecord([['local_service_chaining', 'required']]) }
      : {}),
  }
}

function lockBuild(build: AppComponent['table']['build']): Json | undefined {
  if (build === undefined) return undefined
  const { command, workdir, watch } = build
  return {
    command,
    ...(workdir === undefined ? {} : { workdir }),
    ...(isEmpty(watch) ? {} : { watch }),
  }
}

/**
 * Whether an entry of `allowed_outbound_hosts`, checked when the application was loaded, is about
 * components of the application: `*.spin.internal` or `NAME.spin.internal`, templates unresolved.
 */
function requiresChaining(text: string): boolean {
  const host = readAllowedHost(text)
  return !('problem' in host) && isServiceChainingHost(host)
}

function isEmpty(value: unknown): value is undefined {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0
  return value === undefined || value === ''
}

function lockVariables({ variables }: AppManifest): LockedApp['variables'] {
  if (isEmpty(variables)) return undefined
  return toRecord(
    Object.entries(variables ?? {}).map(([name, variable]): [string, LockedVariable] => [
      name,
      {
        ...(variable.description === undefined ? {} : { description: variable.description }),
        ...(variable.default === undefined ? {} : { default: variable.default }),
        ...(variable.secret === true ? { secret: true } : {}),
      },
    ]),
  )
}

function lockMetadata(
  { manifest, profile }: App,
  { origin }: LockAppOptions,
): Readonly<Record<string, Json>> {
  const { application } = manifest
  const globals = toRecord(
    Object.entries(application.trigger ?? {}).map(([type, config]) => [
      type,
      withoutBase(type, config),
    ]),
  )
  const [only, ...others] = Object.keys(manifest.trigger)
  const trigger =
    only === undefined || others.length > 0
      ? undefined
      : toRecord<Json>([...Object.entries(ownValue(globals, only) ?? {}), ['type', only]])
  const optional = {
    name: application.name,
    version: application.version,
    description: application.description,
    authors: application.authors,
    origin,
    profile,
  }
  return toRecord<Json>([
    ...Object.entries(optional).filter(
      (entry): entry is [string, string | readonly string[]] => !isEmpty(entry[1]),
    ),
    // Hosts look for `triggers` even where there are none, and older ones only for `trigger`.
    ['triggers', globals],
    ...(trigger === undefined ? [] : [['trigger', trigger] as const]),
  ])
}

/** `base = "/"` says nothing, but hosts warn of it. Another one is kept: they refuse it, which is better than other paths. */
function withoutBase(type: string, config: ConfigTable): ConfigTable {
  if (type !== 'http' || config['base'] !== '/') return config
  return toRecord(Object.entries(config).filter(([key]) => key !== 'base'))
}
