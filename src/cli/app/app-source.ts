import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { BindleId } from '../../bindle/id.ts'
import { parseReference } from '../../oci/reference.ts'
import { assertWasm } from '../../spin/source/assert-wasm.ts'
import type { App } from '../../spin/source/app.ts'
import { loadApp } from '../../spin/source/load-app.ts'
import type { Reference } from '../../types.ts'
import { readFileBounded } from '../../node/files/bounded-file.ts'
import { referenceArgument } from '../terminal/arguments.ts'
import { findManifest, type ManifestPlace } from './find-manifest.ts'
import { CommandError, UsageError } from '../terminal/io.ts'

export interface SourceFlags {
  readonly from?: string
  readonly file?: string
  readonly fromFile?: string
  readonly fromRegistry?: Reference
  readonly bindle?: BindleId
}

/** Where an application is. */
export type AppPlace =
  | { readonly kind: 'folder'; readonly place: ManifestPlace }
  | { readonly kind: 'wasm'; readonly path: string }
  | { readonly kind: 'registry'; readonly reference: Reference }
  | { readonly kind: 'bindle'; readonly id: BindleId }

/** Resolves the source of an application as `spin up` does: an existing path is a file or folder. */
export async function findApp(cwd: string, flags: SourceFlags): Promise<AppPlace> {
  const given = [flags.from, flags.file, flags.fromFile, flags.fromRegistry, flags.bindle].filter(
    (value) => value !== undefined,
  )
  if (given.length > 1)
    throw new UsageError('give only one of --from, --from-file, --from-registry and --bindle')
  if (flags.bindle !== undefined) return { kind: 'bindle', id: flags.bindle }
  if (flags.fromRegistry !== undefined) return { kind: 'registry', reference: flags.fromRegistry }
  if (flags.fromFile !== undefined) return fromFile(cwd, flags.fromFile)
  const source = flags.from ?? flags.file
  if (source === undefined) return { kind: 'folder', place: await findManifest(cwd, undefined) }
  if ((await stat(resolve(cwd, source)).catch(() => undefined)) !== undefined)
    return fromFile(cwd, source)
  if (!isReferenceText(source)) {
    throw new CommandError(
      `File or directory '${source}' not found. If you meant to load from a registry, use the \`--from-registry\` option.`,
    )
  }
  return { kind: 'registry', reference: referenceArgument(source) }
}

async function fromFile(cwd: string, path: string): Promise<AppPlace> {
  if (/\.wasm$/i.test(path)) {
    const found = await stat(resolve(cwd, path)).catch(() => undefined)
    if (found?.isFile() !== true) throw new CommandError(`there is no file "${path}"`)
    return { kind: 'wasm', path: resolve(cwd, path) }
  }
  return { kind: 'folder', place: await findManifest(cwd, path) }
}

/** Whether a text that is not a path is a reference: a single word without a tag is more likely a misspelt path. */
function isReferenceText(text: string): boolean {
  let reference: Reference
  try {
    reference = parseReference(text, { defaultRegistry: 'docker.io', defaultTag: 'latest' })
  } catch {
    return false
  }
  if (reference.digest !== undefined || reference.tag !== 'latest' || text.endsWith(':latest'))
    return true
  return !reference.registry.includes('docker') || text.includes('docker')
}

/** An application of one component that serves every route. */
export async function loadWasmApp(path: string, maxBytes: number): Promise<App> {
  const bytes = await readFileBounded(path, maxBytes)
  if (bytes === undefined) throw new CommandError(`there is no file "${path}"`)
  const id = idOf(basename(path).replace(/\.wasm$/i, ''))
  const manifest = `spin_manifest_version = 2
[application]
name = "${id}"
[[trigger.http]]
route = "/..."
component = "${id}"
[component.${id}]
source = "app.wasm"
`
  const app = await loadApp({ 'spin.toml': manifest, 'app.wasm': bytes })
  await assertWasm(app)
  return app
}

/** A valid name for a manifest: words of letters and digits. */
function idOf(name: string): string {
  const words = name
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => /^[a-z]/.test(word))
  return words.join('-').slice(0, 64).replace(/-$/, '') || 'app'
}
