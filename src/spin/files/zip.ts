import { quotePath } from '../../bytes/path.ts'
import type { SliceableContent } from '../../bytes/sliceable.ts'
import { listZip, type ZipMember, zipTooLarge } from '../../bytes/zip.ts'
import { SpindleError } from '../../errors.ts'
import type { Content } from '../../types.ts'
import { firstFrom } from './app-files.ts'
import { MAX_APP_BYTES, MAX_APP_FILES, type TreeLimits } from './tree-builder.ts'
import { commonFolder } from './files.ts'
import type { SourceFolder } from './source-folder.ts'

/**
 * A zip of an application; a single folder around everything is dropped. What is looked up in it counts
 * for `maxBytes` and may be refused; all else is passed over.
 */
export async function openZip(
  zip: SliceableContent | Uint8Array,
  limits: TreeLimits,
  signal?: AbortSignal,
): Promise<SourceFolder> {
  const { maxBytes = MAX_APP_BYTES, maxFiles = MAX_APP_FILES } = limits
  const members = await listZip(zip, { maxEntries: maxFiles }, signal)
  const paths = [...members.keys()].sort()
  const opened = new Map<string, Content>()
  let total = 0
  const open = (path: string, { content }: ZipMember): Content => {
    if (!opened.has(path)) total += content.size
    if (total > maxBytes) throw zipTooLarge(maxBytes)
    opened.set(path, content)
    return content
  }
  return folderOf(paths, commonFolder(paths), (path) => {
    const member = members.get(path)
    if (member?.problem !== undefined) throw member.problem
    return member && (() => open(path, member))
  })
}

/**
 * Sorted paths as a folder. No folders are made before they are looked up: names of a few megabytes may
 * stand for millions.
 *
 * @param prefix Of the folder, with its slash.
 * @param fileAt Opens the file of a path, or throws what is wrong with it.
 */
function folderOf(
  paths: readonly string[],
  prefix: string,
  fileAt: (path: string) => (() => Content) | undefined,
): SourceFolder {
  return {
    kind: 'folder',
    async names() {
      const names = new Set<string>()
      for (let at = firstFrom(paths, prefix); paths[at]?.startsWith(prefix) === true; at++) {
        const rest = (paths[at] as string).slice(prefix.length)
        names.add(rest.slice(0, (rest + '/').indexOf('/')))
      }
      return [...names]
    },
    async find(name) {
      const path = prefix + name
      const open = fileAt(path)
      const below = `${path}/`
      const isFolder = paths[firstFrom(paths, below)]?.startsWith(below) === true
      if (open === undefined) return isFolder ? folderOf(paths, below, fileAt) : undefined
      if (isFolder)
        throw new SpindleError(
          'ERR_CONTENT_INVALID',
          `this zip is refused: ${quotePath(path)} is both a file and a folder`,
        )
      return { kind: 'file', open: async () => open() }
    },
  }
}
