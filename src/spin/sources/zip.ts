import type { SliceableContent } from '../../bytes/sliceable.ts'
import { readZip } from '../../bytes/zip.ts'
import type { FileTree } from '../../types.ts'
import {
  createTreeBuilder,
  MAX_APP_BYTES,
  MAX_APP_FILES,
  type TreeLimits,
} from '../tree-builder.ts'
import { commonFolder } from './files.ts'

/** A zip of an application; a single folder around everything is dropped. */
export async function readZipSource(
  zip: SliceableContent | Uint8Array,
  limits: TreeLimits,
  signal?: AbortSignal,
): Promise<FileTree> {
  const { maxBytes = MAX_APP_BYTES, maxFiles = MAX_APP_FILES } = limits
  const files = await readZip(zip, { maxBytes, maxEntries: maxFiles }, signal)
  const top = commonFolder([...files.keys()])
  const builder = createTreeBuilder({ maxBytes, maxFiles })
  for (const [path, content] of files) builder.add(path.slice(top.length), content)
  return builder.tree
}
