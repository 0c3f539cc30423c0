import { basename, dirname, join, resolve } from 'node:path'
import { AppInvalid } from '../../errors.ts'
import { resolvePath } from '../../spin/app-files.ts'
import { assertWasm } from '../../spin/assert-wasm.ts'
import type { App } from '../../spin/app.ts'
import type { AppManifest } from '../../spin/app-manifest.ts'
import { loadApp } from '../../spin/load-app.ts'
import { MANIFEST_LENGTH, parseAppManifest } from '../../spin/manifest.ts'
import type { Content, FetchLike, FileTree } from '../../types.ts'
import { readFileBounded } from '../bounded-file.ts'
import { contentOf, readDirectory } from '../directory.ts'
import { buildComponents } from './build-components.ts'
import { createDownloadCache } from './download-cache.ts'
import type { ManifestPlace } from './find-manifest.ts'
import type { CliIo } from './io.ts'
import type { Output } from './output.ts'
import { cacheRoot } from './remote.ts'

/** Flags of every command that takes an application from a folder. */
export interface LocalFlags {
  readonly build?: boolean
  readonly profile?: string
  readonly cacheDir?: string
}

/** Reads an application from a folder, building it first when asked to. */
export async function loadLocalApp(
  place: ManifestPlace,
  flags: LocalFlags,
  io: CliIo,
  output: Output,
): Promise<App> {
  const bytes = await readFileBounded(join(place.directory, place.name), MANIFEST_LENGTH * 4)
  const { manifest } = parseAppManifest(bytes ?? '', place.name)
  if (flags.build === true || isSet(io.env['SPIN_ALWAYS_BUILD'])) {
    await buildComponents(manifest, place.directory, flags.profile, io, output)
  }
  const fetch: FetchLike = io.fetch ?? ((request) => globalThis.fetch(request))
  // After the build: it makes files that must be seen.
  const tree = await readDirectory(place.directory, { signal: io.signal })
  const outside = outsideSources(manifest)
  const placed = outside.length === 0 ? undefined : await placeBeside(place, tree, outside)
  const app = await loadApp(placed?.tree ?? tree, {
    manifestPath: (placed?.prefix ?? '') + place.name,
    signal: io.signal,
    fetch: createDownloadCache(cacheRoot(io, flags.cacheDir), manifest, fetch, io.platform),
    ...(flags.profile === undefined ? {} : { profile: flags.profile }),
  })
  // What runs it would only say that it can't be compiled.
  await assertWasm(app, io.signal)
  return app
}

/** Wasm that a manifest names beside its folder, as `../target/hello.wasm`. Files it may not. */
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

/**
 * The folder's files below as many of its own parents' names as the sources lead up, and the sources
 * beside them, so that `../` finds them.
 */
async function placeBeside(
  place: ManifestPlace,
  files: FileTree,
  sources: readonly string[],
): Promise<{ readonly tree: FileTree; readonly prefix: string }> {
  const names: string[] = []
  let top = resolve(place.directory)
  const leadsOut = (path: string): boolean =>
    resolvePath(names.join('/') + '/' + path) === undefined
  while (sources.some(leadsOut) && dirname(top) !== top) {
    names.unshift(basename(top))
    top = dirname(top)
  }
  const prefix = names.map((name) => `${name}/`).join('')
  const tree = new Map<string, Uint8Array | Content>()
  for (const [path, content] of files) tree.set(prefix + path, content)
  for (const source of sources) {
    const path = resolvePath(prefix + source)
    if (path === undefined || tree.has(path)) continue
    const real = join(top, ...path.split('/'))
    const head = await headOf(real)
    // The loader says that it is missing, with its place in the manifest.
    if (head === undefined) continue
    if (!isWasm(head)) throw notWasm(place, source)
    tree.set(path, await contentOf(path, real))
  }
  return { tree, prefix }
}

async function headOf(path: string): Promise<Uint8Array | undefined> {
  const content = await contentOf(path, path)
  if (content.size === 0) return undefined
  const reader = content.stream().getReader()
  try {
    return (await reader.read()).value
  } finally {
    await reader.cancel()
  }
}

function isWasm(head: Uint8Array): boolean {
  return [0, 0x61, 0x73, 0x6d].every((byte, i) => head[i] === byte)
}

// An application from somebody else must not carry any file of this machine away.
function notWasm({ name }: ManifestPlace, source: string): AppInvalid {
  const message = `the source ${JSON.stringify(source)} is outside the application's folder and no WebAssembly`
  return new AppInvalid([{ code: 'file-unusable', message, path: name }])
}

function isSet(value: string | undefined): boolean {
  return (
    value !== undefined && !['', '0', 'false', 'no', 'off', 'n', 'f'].includes(value.toLowerCase())
  )
}
