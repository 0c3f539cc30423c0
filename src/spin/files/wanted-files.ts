import { normalizePath } from '../../bytes/path.ts'
import { resolvePath } from './app-files.ts'
import type { AppManifest } from '../manifest/app-manifest.ts'
import { compileGlob, type GlobBudget } from './glob-pattern.ts'

/** One segment of a path that is wanted: a name, what matches one, or any number of folders. */
export type WantedSegment =
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'pattern'; readonly matches: (name: string) => boolean }
  | { readonly type: 'folders' }

/** What a manifest may take from the folder that it is in. */
export interface WantedPath {
  readonly segments: readonly WantedSegment[]
  /** Wasm may come from further away than files. */
  readonly use: 'wasm' | 'file'
  /** If it is a folder: all that is below. */
  readonly isWhole: boolean
}

/** A path that is wanted as it is. */
export function exactly(path: string, use: WantedPath['use'], isWhole = false): WantedPath {
  const segments = path === '' ? [] : path.split('/')
  return { segments: segments.map((name) => ({ type: 'name', name })), use, isWhole }
}

/**
 * All paths that a manifest names, from the top of its tree: more than it takes in the end, but nothing
 * that it doesn't name. What is wrong with a path is said when it is resolved.
 *
 * @param root The manifest's folder, with a `/` at its end; empty for the top.
 */
export function wantedPaths(manifest: AppManifest, root: string, budget: GlobBudget): WantedPath[] {
  const wanted: WantedPath[] = []
  const wantWasm = (path: unknown): void => {
    if (typeof path !== 'string' || path.startsWith('/')) return
    const result = normalizePath(resolvePath(root + path) ?? '..')
    if ('path' in result) wanted.push(exactly(result.path, 'wasm'))
  }
  const wantDependency = (dependency: unknown): void => {
    if (typeof dependency === 'object' && dependency !== null && 'path' in dependency)
      wantWasm(dependency.path)
  }
  for (const component of Object.values(manifest.component ?? {})) {
    wantWasm(component.source)
    Object.values(component.dependencies ?? {}).forEach(wantDependency)
    for (const entry of component.files ?? []) {
      const path = resolvePath(typeof entry === 'string' ? entry : entry.source)
      if (path === undefined || path.includes('\\')) continue
      wanted.push(exactly(root + path, 'file', true))
      const pattern = typeof entry === 'string' ? segmentsOf(path, budget) : undefined
      if (pattern !== undefined)
        wanted.push({
          segments: [...exactly(root.slice(0, -1), 'file').segments, ...pattern],
          use: 'file',
          isWhole: false,
        })
    }
  }
  for (const { dependencies } of Object.values(manifest.trigger).flat())
    Object.values(dependencies ?? {})
      .flat()
      .forEach(wantDependency)
  return wanted
}

/** `undefined` for what is no pattern, or an invalid one. */
function segmentsOf(path: string, budget: GlobBudget): WantedSegment[] | undefined {
  if (!/[?*[]/.test(path)) return undefined
  const segments: WantedSegment[] = []
  for (const name of path.split('/')) {
    if (name === '**') {
      segments.push({ type: 'folders' })
    } else if (!/[?*[]/.test(name)) {
      segments.push({ type: 'name', name })
    } else {
      const matches = compileGlob(name, 'walk', budget)
      if (typeof matches !== 'function') return undefined
      segments.push({ type: 'pattern', matches })
    }
  }
  return segments
}
