import { lookup } from 'mrmime'
import { SpindleError } from '../../errors.ts'
import { mapBounded } from '../../bytes/concurrency.ts'
import { hexOf } from '../../bytes/digest.ts'
import type { Json } from '../../bytes/json.ts'
import { describeContent } from '../../bytes/describe.ts'
import { assertPushableId, type BindleId, createBindleId } from '../../bindle/id.ts'
import type { Label, Parcel } from '../../bindle/invoice.ts'
import { isBuild } from '../../bindle/semver.ts'
import type { StandaloneBindle } from '../../bindle/standalone.ts'
import type { Content, OperationOptions } from '../../types.ts'
import { assertWasm } from '../source/assert-wasm.ts'
import type { App, AppComponent } from '../source/app.ts'
import {
  BINDLE_MANIFEST_TYPE,
  type BindleComponent,
  type BindleManifest,
  formatBindleManifest,
} from './bindle-manifest.ts'
import { exactHostsAnnotation, httpHostsOf } from './bindle-hosts.ts'

/** Files hashed at once; no more are open. */
const HASHES = 8

export interface ToBindleOptions extends OperationOptions {
  /** Default: name and version of the manifest. */
  id?: BindleId
  /** Build metadata for the version, which must have none of its own: the id becomes `NAME/VERSION+INFO`. */
  buildInfo?: string
}

/**
 * Makes the invoice and parcels that Spin 0.2 to 1.5 made of an application.
 *
 * Exported from `spindle/bindle`. Sorted throughout, so that the same files give the same bindle.
 * Each content is reported as `waiting` once it is hashed.
 * @throws `ERR_UNSUPPORTED` for what a bindle can't hold: several triggers of a component or of
 * several types, static responses, dependencies; `ERR_REFERENCE_INVALID` for a name or version
 * that makes no id.
 * @see Spin 1.5, crates/publish/src/bindle/expander.rs
 */
export async function appToBindle(
  app: App,
  options: ToBindleOptions = {},
): Promise<StandaloneBindle> {
  const { application } = app.manifest
  const named = options.id ?? { name: application.name, version: application.version ?? '' }
  const version = `${named.version}${options.buildInfo === undefined ? '' : `+${options.buildInfo}`}`
  if (
    options.buildInfo !== undefined &&
    (options.buildInfo === '' || !isBuild(options.buildInfo))
  ) {
    throw new TypeError(
      `"buildInfo" ${JSON.stringify(options.buildInfo)} must be letters, digits and "-", joined by "."`,
    )
  }
  const id = createBindleId(named.name, version)
  assertPushableId(id)
  assertFits(app)
  await assertWasm(app, options.signal)

  const parcels = new Map<string, Uint8Array | Content>()
  const describe = async (
    content: Uint8Array | Content,
    name: string,
    mediaType: string,
  ): Promise<Label> => {
    const { digest, size } = await describeContent(content, mediaType, options)
    parcels.set(hexOf(digest), content)
    options.onProgress?.({
      type: 'blob',
      descriptor: { mediaType, digest, size },
      status: 'waiting',
      loaded: 0,
    })
    return { sha256: hexOf(digest), mediaType, name, size }
  }
  const wasm = await mapBounded(
    app.components,
    HASHES,
    (component) => describe(component.wasmContent, wasmName(component), 'application/wasm'),
    options.signal,
  )
  const files = app.components.flatMap((component) =>
    [...component.fileTree].map(([path, content]) => ({
      group: groupOf(component),
      path,
      content,
    })),
  )
  const labels = await mapBounded(
    files,
    HASHES,
    ({ path, content }) => describe(content, path, lookup(path) ?? 'application/octet-stream'),
    options.signal,
  )

  const manifest = formatBindleManifest(manifestOf(app, wasm))
  const manifestLabel = await describe(manifest, '', BINDLE_MANIFEST_TYPE)
  return {
    id,
    parcels,
    invoice: {
      bindleVersion: '1.0.0',
      bindle: {
        name: id.name,
        version: id.version,
        ...(application.description === undefined || application.description === ''
          ? {}
          : { description: application.description }),
        ...(application.authors === undefined || application.authors.length === 0
          ? {}
          : { authors: application.authors }),
      },
      parcel: [
        {
          label: {
            ...manifestLabel,
            name: `spin.${manifestLabel.sha256}.toml`,
            // Spin's own leftover; kept so that the invoice is the one that Spin made.
            annotations: {
              'fermyon:spin:delete_on_write': '.',
              ...exactHostsAnnotation(app.components),
            },
          },
        },
        ...withoutRepeats(wasm).map((label) => ({ label, conditions: {} })),
        ...mergeAssets(
          labels,
          files.map((file) => file.group),
        ),
      ],
      group: app.components.map((component) => ({ name: groupOf(component) })),
    },
  }
}

function groupOf(component: AppComponent): string {
  return `files-${component.id}`
}

/** As `spin.toml` has it, or the path of its URL. */
function wasmName({ id, table: { source } }: AppComponent): string {
  if (typeof source === 'string') return source
  if ('url' in source)
    return URL.canParse(source.url) ? new URL(source.url).pathname.replace(/^\//, '') : `${id}.wasm`
  return `${id}.wasm`
}

/** Spin left out a module only where it followed itself. */
function withoutRepeats(labels: readonly Label[]): Label[] {
  return labels.filter((label, index) => label.sha256 !== labels[index - 1]?.sha256)
}

/** One parcel for a file that several components see at the same path. */
function mergeAssets(labels: readonly Label[], groups: readonly string[]): Parcel[] {
  const merged = new Map<string, { label: Label; memberOf: string[] }>()
  for (const [index, label] of labels.entries()) {
    const key = JSON.stringify([label.name, label.sha256])
    const there = merged.get(key)
    const group = groups[index] as string
    if (there === undefined) merged.set(key, { label, memberOf: [group] })
    else there.memberOf.push(group)
  }
  return [...merged.values()].map(({ label, memberOf }) => ({ label, conditions: { memberOf } }))
}

function assertFits(app: App): void {
  const problems: string[] = []
  const types = new Set(app.triggers.map((trigger) => trigger.type))
  if (types.size !== 1)
    problems.push(`it has triggers of ${types.size} types, and a bindle has one`)
  for (const trigger of app.triggers) {
    if (typeof trigger.table.component !== 'string')
      problems.push(
        `the trigger ${trigger.id} has no component: static responses are newer than Bindle`,
      )
    if (trigger.dependencies.size > 0) problems.push(`the trigger ${trigger.id} has dependencies`)
  }
  for (const component of app.components) {
    const count = triggersOf(app, component.id).length
    if (count !== 1)
      problems.push(`component ${component.id} has ${count} triggers, and in a bindle it has one`)
    if (component.dependencies.size > 0) problems.push(`component ${component.id} has dependencies`)
  }
  if (problems.length === 0) return
  throw new SpindleError(
    'ERR_UNSUPPORTED',
    `the application can't be kept in a bindle: ${problems.join('; ')}. Push it to an OCI registry`,
  )
}

function triggersOf(app: App, id: string): App['triggers'][number][] {
  return app.triggers.filter((trigger) => trigger.table.component === id)
}

function manifestOf(app: App, wasm: readonly Label[]): BindleManifest {
  const type = app.triggers[0]?.type as string
  const global = app.manifest.application.trigger?.[type] ?? {}
  const variables = Object.entries(app.manifest.variables ?? {})
  return {
    // Spin up to 1.2 reads an http trigger without a base as an unknown one.
    trigger: { type, ...(type === 'http' ? { base: '/' } : {}), ...global },
    ...(variables.length === 0
      ? {}
      : {
          variables: Object.fromEntries(
            variables.map(([name, variable]) => [
              name,
              {
                ...(variable.default === undefined
                  ? { required: true }
                  : { default: variable.default }),
                ...(variable.secret === true ? { secret: true } : {}),
              },
            ]),
          ),
        }),
    component: app.components.map((component, index) =>
      bindleComponent(app, component, (wasm[index] as Label).sha256),
    ),
  }
}

function bindleComponent(
  app: App,
  { id, table, fileTree }: AppComponent,
  source: string,
): BindleComponent {
  const { config } = triggersOf(app, id)[0]?.table ?? { config: {} }
  const list = (values: readonly string[] | undefined): readonly string[] | undefined =>
    values === undefined || values.length === 0 ? undefined : values
  return dropUndefined({
    source,
    id,
    description: table.description === '' ? undefined : table.description,
    files: table.files !== undefined || fileTree.size > 0 ? `files-${id}` : undefined,
    allowedHttpHosts: httpHostsOf(table.allowed_outbound_hosts ?? []),
    keyValueStores: list(table.key_value_stores),
    sqliteDatabases: list(table.sqlite_databases),
    aiModels: list(table.ai_models),
    environment: nonEmpty(table.environment),
    trigger: bindleTrigger(config),
    config: nonEmpty(table.variables),
  })
}

/** `http` is called `spin` where bindles are read. */
function bindleTrigger(config: Readonly<Record<string, Json>>): Readonly<Record<string, Json>> {
  const executor = config['executor']
  const named =
    typeof executor === 'object' &&
    executor !== null &&
    (executor as { type?: unknown }).type === 'http'
  return named ? { ...config, executor: { type: 'spin' } } : config
}

function nonEmpty(
  table: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> | undefined {
  return table === undefined || Object.keys(table).length === 0 ? undefined : table
}

function dropUndefined<T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as T
}
