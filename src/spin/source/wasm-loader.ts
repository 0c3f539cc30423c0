import { forEachBounded } from '../../bytes/concurrency.ts'
import { normalizePath, quotePath } from '../../bytes/path.ts'
import type { Content } from '../../types.ts'
import { type AppFiles, resolvePath } from '../files/app-files.ts'
import type { ComponentDependency, ComponentSource } from '../manifest/app-manifest.ts'
import type { Spot } from '../manifest/spot.ts'
import { fetchWasm, resolveWasmPackage, type WasmSourceOptions } from './wasm-source.ts'

/** Downloads at once: few enough for a page's limit of six per host. */
const DOWNLOADS = 4

/** Gathers what Wasm is needed, then gets all of it. */
export interface WasmLoader {
  /** `undefined` when a file isn't there, which is then reported at `spot`. */
  want(
    source: ComponentSource | ComponentDependency,
    who: string,
    spot: Spot,
    packageName?: string,
  ): (() => Uint8Array | Content) | undefined
  settle(): Promise<void>
}

/** Its signal also ends it when another one failed. */
type Job = (signal: AbortSignal) => Promise<Uint8Array | Content>

export function createWasmLoader(files: AppFiles, options: WasmSourceOptions): WasmLoader {
  const jobs = new Map<string, Job>()
  const results = new Map<string, Uint8Array | Content>()
  const later = (key: string, job: Job): (() => Uint8Array | Content) => {
    if (!jobs.has(key)) jobs.set(key, job)
    return () => results.get(key) as Uint8Array | Content
  }
  return {
    want(source, who, spot, packageName) {
      if (typeof source === 'object' && 'url' in source) {
        const { url, digest } = source
        return later(`${digest} ${url}`, (signal) =>
          fetchWasm(url, digest, who, { ...options, signal }),
        )
      }
      if (typeof source === 'object' && 'version' in source) {
        const wanted = {
          ...(source.registry === undefined ? {} : { registry: source.registry }),
          package: source.package ?? packageName ?? '',
          version: source.version,
        }
        return later(JSON.stringify(wanted), (signal) =>
          resolveWasmPackage(wanted, who, { ...options, signal }),
        )
      }
      if (packageName !== undefined && typeof source === 'string') {
        return later(JSON.stringify([packageName, source]), (signal) =>
          resolveWasmPackage({ package: packageName, version: source }, who, {
            ...options,
            signal,
          }),
        )
      }
      const path = typeof source === 'string' ? source : 'path' in source ? source.path : ''
      const found = findFile(files, path)
      if (typeof found === 'object') return () => found
      spot.report.error(spot, 'missing-file', `${who}: ${found}`)
      return undefined
    },
    async settle() {
      await forEachBounded(
        jobs,
        DOWNLOADS,
        async ([key, job], signal) => {
          results.set(key, await job(signal))
        },
        options.signal,
      )
    },
  }
}

/** A file as the manifest names it, which may lie beside its folder; or why there is none. */
function findFile(files: AppFiles, path: string): Uint8Array | Content | string {
  if (path.startsWith('/'))
    return `${quotePath(path)} is absolute; paths are relative to the manifest`
  const result = normalizePath(resolvePath(files.root + path) ?? '..')
  if ('problem' in result) return `${quotePath(path)} ${result.problem}`
  return (
    files.tree.get(result.path) ??
    `${quotePath(path)} does not exist; build the component first, and give its Wasm along with the manifest`
  )
}
