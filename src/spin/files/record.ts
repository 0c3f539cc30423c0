import { encodeUtf8 } from '../../bytes/text.ts'
import type { Content, FileTree } from '../../types.ts'
import { createTreeBuilder, type TreeLimits } from './tree-builder.ts'

/** Paths to contents; a string is its UTF-8. */
export type FileRecord = Readonly<Record<string, Uint8Array | Content | string>>

/** Reads entries of a map or a record; `entries` are looked at once, before anything is awaited. */
export function readEntries(
  entries: Iterable<readonly [string, unknown]>,
  limits: TreeLimits,
): FileTree {
  const builder = createTreeBuilder(limits)
  for (const [path, value] of entries) builder.add(path, contentOf(path, value))
  return builder.tree
}

function contentOf(path: string, value: unknown): Uint8Array | Content {
  if (typeof value === 'string') return encodeUtf8(value)
  if (value instanceof Uint8Array) return value
  if (isContent(value)) return value
  throw new TypeError(
    `the content of ${JSON.stringify(path)} must be a string, a Uint8Array or a Blob`,
  )
}

export function isContent(value: unknown): value is Content {
  return (
    typeof value === 'object' &&
    value !== null &&
    'size' in value &&
    typeof value.size === 'number' &&
    'stream' in value &&
    typeof value.stream === 'function'
  )
}
