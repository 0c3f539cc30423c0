import { normalizePath, quotePath } from '../../bytes/path.ts'
import { AppInvalid, SpindleError } from '../../errors.ts'
import type { Content, FileTree } from '../../types.ts'

/** Most files of one application: a tree with `node_modules` and build output fits, an endless one ends. */
export const MAX_APP_FILES: number = 200_000

/** Most bytes to unpack from a zip: Spin applications are tens of MiB, and a page's tab has a few hundred. */
export const MAX_APP_BYTES: number = 256 * 1024 * 1024

export interface TreeLimits {
  /** Most bytes of all files together. */
  readonly maxBytes?: number | undefined
  /** Most files. Default 200000. */
  readonly maxFiles?: number | undefined
}

interface TreeBuilder {
  /** Keeps one file under its normalized path, or throws. */
  add(path: string, content: Uint8Array | Content): void
  readonly tree: FileTree
}

/** Collects files under checked, unique paths and within limits; all ways into an application end here. */
export function createTreeBuilder(limits: TreeLimits = {}): TreeBuilder {
  const { maxBytes = Infinity, maxFiles = MAX_APP_FILES } = limits
  const tree = new Map<string, Uint8Array | Content>()
  let bytes = 0
  return {
    tree,
    add(input, content) {
      const result = normalizePath(input)
      if ('problem' in result) throw refused(input, result.problem)
      const { path } = result
      if (tree.has(path)) throw refused(input, 'occurs twice; rename one of the two')
      bytes += content instanceof Uint8Array ? content.length : content.size
      if (bytes > maxBytes) {
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `the application's files are more than ${maxBytes} bytes together`,
          { remedy: { option: 'maxBytes', advice: 'leave files out, or raise %' } },
        )
      }
      if (tree.size >= maxFiles) {
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `the application has more than ${maxFiles} files`,
          { remedy: { option: 'maxFiles', advice: 'leave folders out, or raise %' } },
        )
      }
      tree.set(path, content)
    },
  }
}

function refused(path: string, problem: string): AppInvalid {
  return new AppInvalid([
    { code: 'path-invalid', message: `this path ${problem}`, path: quotePath(path) },
  ])
}
