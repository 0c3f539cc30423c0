import { readBytes } from '../../bytes/read-bytes.ts'
import { normalizePath, quotePath } from '../../bytes/path.ts'
import { readBounded } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import type { Content, FileTree } from '../../types.ts'
import type { App, AppComponent, AppDependency, AppTrigger } from './app.ts'
import type { AppManifest, ComponentDependency, ComponentTable } from '../manifest/app-manifest.ts'
import { type AppFiles, createAppFiles } from '../files/app-files.ts'
import { type AppSource, openAppSource, type ReadAppSourceOptions } from './app-source.ts'
import { assertWasm } from './assert-wasm.ts'
import { resolveComponentFiles } from './component-files.ts'
import { MAX_GLOB_STEPS, type GlobBudget } from '../files/glob-pattern.ts'
import { lockApp } from './lock-app.ts'
import type { LockedComponent } from '../lock/locked-app.ts'
import { MAX_MANIFEST_LENGTH, readAppManifest } from '../manifest/manifest.ts'
import { type PickedFiles, pickFiles } from '../files/pick-files.ts'
import { isSourceFolder, type SourceFolder } from '../files/source-folder.ts'
import { exactly, type WantedPath, wantedPaths } from '../files/wanted-files.ts'
import { createManifestSpots, keySpot, type ManifestSpots } from '../manifest/manifest-spots.ts'
import { normalizeManifest } from '../manifest/normalize.ts'
import { packApp } from '../artifact/pack.ts'
import { descend, type Spot } from '../manifest/spot.ts'
import { createWasmLoader, type WasmLoader } from './wasm-loader.ts'
import type { WasmSourceOptions } from './wasm-source.ts'

export interface LoadAppOptions extends WasmSourceOptions, ReadAppSourceOptions {
  /** Path of the manifest in the tree. Default: `spin.toml` at its top, or the only one in a folder there. */
  manifestPath?: string
  /** Build profile to apply. */
  profile?: string
}

/**
 * Reads an application: its manifest, and all that the manifest names.
 *
 * Exported from the main entry point and `spindle/app`.
 *
 * @example An application from a folder chosen in a page
 * ```ts
 * const app = await loadApp(input.files)
 * ```
 *
 * Rejects with `AppInvalid` (`ERR_APP_INVALID`) that has all that is wrong with it, each with its
 * place in the manifest; `ERR_FILE_MISSING` without a manifest; `ERR_UNSUPPORTED` for packages of a
 * registry without `resolvePackage`; `ERR_NETWORK`, `ERR_RESPONSE`, `ERR_NOT_FOUND`,
 * `ERR_UNAUTHORIZED`, `ERR_DIGEST_MISMATCH` for what it downloads; `ERR_LIMIT_EXCEEDED`. As in Spin,
 * that sources are Wasm is checked when the application is packed: `pack` and `push` reject with
 * `ERR_APP_INVALID`.
 *
 * @see https://spinframework.dev/writing-apps
 */
export async function loadApp(source: AppSource, options: LoadAppOptions = {}): Promise<App> {
  const { signal } = options
  const opened = await openAppSource(source, options)
  const isFolder = isSourceFolder(opened)
  const first = isFolder ? (await pickManifests(opened, options)).files : opened
  const manifestPath = findManifest(first, options.manifestPath)
  const bytes = await readBounded(
    first.get(manifestPath) as Uint8Array | Content,
    MAX_MANIFEST_LENGTH * 4,
    manifestPath,
    signal,
  )
  const document = readAppManifest(bytes, manifestPath)
  const { profile } = options
  const manifest = normalizeManifest(document.manifest, {
    path: manifestPath,
    ...(profile === undefined ? {} : { profile }),
  })
  const budget = { left: MAX_GLOB_STEPS }
  const root = manifestPath.slice(0, manifestPath.lastIndexOf('/') + 1)
  const picked = isFolder
    ? await pickFiles(opened, wantedPaths(manifest, root, budget), options, signal, budget)
    : undefined
  const tree: FileTree =
    picked === undefined
      ? first
      : new Map<string, Uint8Array | Content>(
          [...picked.files, [manifestPath, bytes] as const].sort(([a], [b]) => (a < b ? -1 : 1)),
        )
  const files = createAppFiles(tree, manifestPath, picked?.folders)
  const spots = createManifestSpots(document, manifest)
  const wasm = createWasmLoader(files, options)
  const prepared = prepareParts(manifest, files, spots, wasm, profile, budget)
  const warnings = document.report.warnings()
  await wasm.settle()
  const { name, version } = manifest.application
  const app: App = {
    name,
    ...(version === undefined ? {} : { version }),
    manifest,
    manifestPath,
    files: tree,
    triggers: prepared.triggers.map((make) => make()),
    components: prepared.components.map((make) => make()),
    ...(profile === undefined ? {} : { profile }),
    warnings,
    async pack(options = {}) {
      await assertWasm(this, options.signal)
      const lock = await lockApp(this, options)
      if (options.uncomposed === true || !lock.locked.components.some(hasDependencies))
        return packApp(lock, options)
      // Few applications need it, and a page need not fetch it before.
      const { composeLock } = await import('../compose/compose-lock.ts')
      return packApp(await composeLock(lock, options.signal), options)
    },
  }
  return app
}

function hasDependencies({ dependencies, trigger_dependencies: around }: LockedComponent): boolean {
  return dependencies !== undefined || around !== undefined
}

/** The manifests that a folder may have: the one that is named, or those that are looked for. */
async function pickManifests(
  folder: SourceFolder,
  { manifestPath, signal }: LoadAppOptions,
): Promise<PickedFiles> {
  const pick = (...wanted: WantedPath[]): Promise<PickedFiles> =>
    pickFiles(folder, wanted, {}, signal)
  if (manifestPath !== undefined) {
    const result = normalizePath(manifestPath)
    return pick(...('path' in result ? [exactly(result.path, 'file')] : []))
  }
  const atTop = await pick(exactly('spin.toml', 'file'))
  if (atTop.files.size > 0) return atTop
  const anyFolder = { type: 'pattern', matches: () => true } as const
  const { segments } = exactly('spin.toml', 'file')
  return pick({ segments: [anyFolder, ...segments], use: 'file', isWhole: false })
}

function findManifest(tree: FileTree, wanted: string | undefined): string {
  if (wanted !== undefined) {
    const result = normalizePath(wanted)
    if ('path' in result && tree.has(result.path)) return result.path
    throw new SpindleError(
      'ERR_FILE_MISSING',
      `there is no manifest at ${quotePath(wanted)}: "manifestPath" is relative to the top of the files given`,
    )
  }
  if (tree.has('spin.toml')) return 'spin.toml'
  const below = [...tree.keys()].filter((path) => /^[^/]+\/spin\.toml$/.test(path)).sort()
  const [only, another] = below
  if (only !== undefined && another === undefined) return only
  throw new SpindleError(
    'ERR_FILE_MISSING',
    only === undefined
      ? 'there is no spin.toml at the top of the files given, nor in a folder there: choose the application\'s folder, or name its manifest with "manifestPath"'
      : `there are several manifests: name one with "manifestPath": ${below.slice(0, 10).map(quotePath).join(', ')}`,
  )
}

interface PreparedParts {
  readonly triggers: readonly (() => AppTrigger)[]
  readonly components: readonly (() => AppComponent)[]
}

function prepareParts(
  manifest: AppManifest,
  files: AppFiles,
  spots: ManifestSpots,
  wasm: WasmLoader,
  profile: string | undefined,
  budget: GlobBudget,
): PreparedParts {
  const components = Object.entries(manifest.component ?? {}).map(([id, table]) => {
    const spot = spots.component(id)
    const source = wasm.want(
      table.source,
      `component ${quotePath(id)}`,
      keySpot(spot, profile, 'source'),
    )
    const resolved = resolveComponentFiles(table, files, budget)
    for (const { key, index, code, message, isWarning } of resolved.problems) {
      const at = descend(spot, key, String(index)) ?? spot
      if (isWarning) at.report.warn(at, code, message)
      else at.report.error(at, code, message)
    }
    const dependencies = wantDependencies(table, id, spot, wasm, profile)
    return (): AppComponent => ({
      id,
      table,
      wasmContent: take(source),
      fileTree: resolved.files,
      // Of the object that they are called on: a copy can have other contents.
      wasm(options) {
        return readBytes(this.wasmContent, options)
      },
      async files() {
        return this.fileTree
      },
      dependencies: new Map([...dependencies].map(([name, make]) => [name, make()])),
    })
  })
  const triggers = Object.entries(manifest.trigger).flatMap(([type, entries]) =>
    entries.map((table, index) => {
      const id = table.id ?? ''
      const spot = spots.trigger(type, index)
      const roles = Object.entries(table.dependencies ?? {}).map(
        ([role, list]) =>
          [
            role,
            list.map((dependency, at) =>
              wantDependency(
                dependency,
                `${role} ${at + 1} of trigger ${quotePath(id)}`,
                descend(spot, 'dependencies', role, String(at)) ?? spot,
                wasm,
              ),
            ),
          ] as const,
      )
      return (): AppTrigger => ({
        id,
        type,
        table,
        dependencies: new Map(roles.map(([role, list]) => [role, list.map((make) => make())])),
      })
    }),
  )
  return { triggers, components }
}

function wantDependencies(
  table: ComponentTable,
  id: string,
  spot: Spot,
  wasm: WasmLoader,
  profile: string | undefined,
): ReadonlyMap<string, () => AppDependency> {
  return new Map(
    Object.entries(table.dependencies ?? {}).map(([name, dependency]) => {
      const who = `dependency ${quotePath(name)} of component ${quotePath(id)}`
      // `ns:pkg/iface@1.0.0` is of the package `ns:pkg`.
      return [
        name,
        wantDependency(
          dependency,
          who,
          keySpot(spot, profile, 'dependencies', name),
          wasm,
          name.replace(/[/@].*$/, ''),
        ),
      ]
    }),
  )
}

function wantDependency(
  dependency: ComponentDependency,
  who: string,
  spot: Spot,
  wasm: WasmLoader,
  packageName?: string,
): () => AppDependency {
  const source = wasm.want(dependency, who, spot, packageName)
  const { export: name, inherit_configuration: inherit } =
    typeof dependency === 'string'
      ? ({} as { export?: string; inherit_configuration?: boolean })
      : { export: undefined, ...dependency }
  return () => ({
    wasm: take(source),
    ...(name === undefined ? {} : { export: name }),
    ...(inherit === undefined || inherit === false
      ? {}
      : { inherit: inherit === true ? 'all' : inherit }),
  })
}

/** What wasn't there was reported, and ended the loading, before this is called. */
function take(source: (() => Uint8Array | Content) | undefined): Uint8Array | Content {
  if (source === undefined) throw new TypeError('no source')
  return source()
}
