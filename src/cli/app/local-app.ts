import { basename, dirname, join } from 'node:path'
import { resolvePath } from '../../spin/files/app-files.ts'
import { assertWasm } from '../../spin/source/assert-wasm.ts'
import type { App } from '../../spin/source/app.ts'
import type { AppManifest } from '../../spin/manifest/app-manifest.ts'
import { loadApp, type LoadAppOptions } from '../../spin/source/load-app.ts'
import { MAX_MANIFEST_LENGTH, parseAppManifest } from '../../spin/manifest/manifest.ts'
import type { FetchLike } from '../../types.ts'
import { readFileBounded } from '../../node/files/bounded-file.ts'
import { openOwnDirectory, realFolder } from '../../node/files/open-directory.ts'
import { buildComponents } from './build-components.ts'
import { createCacheWarning } from './cache.ts'
import { createDownloadCache } from './download-cache.ts'
import type { ManifestPlace } from './find-manifest.ts'
import type { CliIo } from '../terminal/io.ts'
import { sizeLimits, type SizeFlags } from '../terminal/limit-flags.ts'
import type { Output } from '../terminal/output.ts'
import { cacheRoot, type ServerFlags, timeLimits } from '../registry/remote.ts'

/** Flags of commands that load an application from a folder. */
export interface LocalFlags extends SizeFlags, ServerFlags {
  readonly build?: boolean
  readonly profile?: string
  readonly cacheDir?: string
}

/** How an application is loaded from a folder. */
export interface LocalAppOptions {
  /** Run the components' build commands first. */
  readonly build: boolean
  /** The cache folder for downloaded components. */
  readonly cache: string
  readonly load: LoadAppOptions & { readonly maxWasmBytes: number }
}

export function localAppOptions(flags: LocalFlags, io: CliIo): LocalAppOptions {
  const { build, profile, cacheDir, maxSize, maxFiles } = flags
  return {
    build: build === true || isSet(io.env['SPIN_ALWAYS_BUILD']),
    cache: cacheRoot(io, cacheDir),
    load: {
      maxWasmBytes: sizeLimits(flags).memory,
      ...(maxSize !== undefined && { maxBytes: maxSize }),
      ...(maxFiles !== undefined && { maxFiles }),
      ...(profile !== undefined && { profile }),
      timeout: timeLimits(flags).timeout,
      signal: io.signal,
    },
  }
}

/** Loads an application from a folder, after building it if requested. */
export async function loadLocalApp(
  place: ManifestPlace,
  { build, cache, load }: LocalAppOptions,
  io: CliIo,
  output: Output,
): Promise<App> {
  const bytes = await readFileBounded(join(place.directory, place.name), MAX_MANIFEST_LENGTH * 4)
  const { manifest } = parseAppManifest(bytes ?? '', place.name)
  if (build) await buildComponents(manifest, place.directory, load.profile, io, output)
  const fetch: FetchLike = io.fetch ?? ((request) => globalThis.fetch(request))
  const directory = await realFolder(place.directory)
  const { top, prefix } = topOf(directory, outsideSources(manifest))
  const app = await loadApp(openOwnDirectory(top, directory), {
    ...load,
    manifestPath: prefix + place.name,
    fetch: createDownloadCache(
      cache,
      manifest,
      fetch,
      io.platform,
      createCacheWarning(cache, output),
      load.maxWasmBytes,
    ),
  })
  // Checked here: a host would only report that compilation failed.
  await assertWasm(app, io.signal)
  return app
}

/** Wasm sources outside the manifest's folder, for example `../target/hello.wasm`. Files cannot be outside. */
function outsideSources(manifest: AppManifest): readonly string[] {
  const paths = new Set<string>()
  const note = (path: unknown): void => {
    if (typeof path === 'string' && !path.startsWith('/') && resolvePath(path) === undefined)
      paths.add(path)
  }
  const noteAll = (table: Sources): void => {
    note(table.source)
    for (const dependency of Object.values(table.dependencies ?? {}))
      if (typeof dependency === 'object' && dependency !== null && 'path' in dependency)
        note(dependency.path)
  }
  const written = Object.values(manifest.trigger ?? {})
    .flat()
    .map(({ component }) => component)
    .filter((component) => typeof component === 'object')
  for (const table of [...Object.values(manifest.component ?? {}), ...written] as Component[]) {
    noteAll(table)
    for (const profile of Object.values(table.profile ?? {})) noteAll(profile)
  }
  return [...paths]
}

interface Sources {
  readonly source?: unknown
  readonly dependencies?: Readonly<Record<string, unknown>>
}
interface Component extends Sources {
  readonly profile?: Readonly<Record<string, Sources>>
}

/** The nearest folder that contains all sources, and the path from there to the application's folder. */
function topOf(
  directory: string,
  sources: readonly string[],
): { readonly top: string; readonly prefix: string } {
  const names: string[] = []
  let top = directory
  const leadsOut = (path: string): boolean =>
    resolvePath(names.join('/') + '/' + path) === undefined
  while (sources.some(leadsOut) && dirname(top) !== top) {
    names.unshift(basename(top))
    top = dirname(top)
  }
  return { top, prefix: names.map((name) => `${name}/`).join('') }
}

function isSet(value: string | undefined): boolean {
  return (
    value !== undefined && !['', '0', 'false', 'no', 'off', 'n', 'f'].includes(value.toLowerCase())
  )
}
