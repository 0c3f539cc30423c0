import { lstat, readdir, realpath, stat } from 'node:fs/promises'
import { join, resolve, sep } from 'node:path'
import { SpindleError } from '../../errors.ts'
import type { SourceEntry, SourceFolder } from '../../spin/files/source-folder.ts'
import { contentOf, reasonOf, refusedContent } from './directory.ts'
import { isMissing } from './system-error.ts'

/** What a folder's links may lead to. */
interface LinkRules {
  /** The real path that links of files stay in. */
  readonly inside: string
  /** Whether Wasm may come from further away: it is the user's own disk. */
  readonly allowsWasmOutside: boolean
}

/**
 * Opens a folder for `loadApp`, which then reads what the manifest names and nothing else: other files,
 * however many and whatever they are called, cost nothing and break nothing.
 *
 * Exported from `spindle/node`. Links are followed, as Spin does, but not out of the folder: those are an
 * error when the manifest names them.
 *
 * @example An application on disk
 * ```ts
 * const app = await loadApp(await openDirectory('./my-app'))
 * ```
 *
 * Rejects with `ERR_FILE_MISSING` when there is no such folder. `loadApp` rejects with it for what may not
 * be read, and contents fail with `ERR_DIGEST_MISMATCH` when a file has changed since.
 */
export async function openDirectory(directory: string): Promise<SourceFolder> {
  const real = await realFolder(directory)
  return folderOf(real, '', [real], { inside: real, allowsWasmOutside: false })
}

/**
 * @internal As `openDirectory`, for an application of the user's own disk: its Wasm may be anywhere below
 * `top`, a folder above it, and where links lead; its files may not.
 */
export function openOwnDirectory(top: string, directory: string): SourceFolder {
  return folderOf(top, '', [top], { inside: directory, allowsWasmOutside: true })
}

/** @internal The real path of a folder. */
export async function realFolder(directory: string): Promise<string> {
  const real = await realpath(resolve(directory)).catch((cause: unknown) => {
    throw new SpindleError('ERR_FILE_MISSING', `there is no folder "${directory}"`, { cause })
  })
  if (!(await stat(real)).isDirectory())
    throw new SpindleError('ERR_FILE_MISSING', `"${directory}" is a file; name the folder it is in`)
  return real
}

/**
 * @param path As the application names it, with a slash at its end unless it is the top.
 * @param above Real paths on the way here, which a link may not lead back to.
 */
function folderOf(
  real: string,
  path: string,
  above: readonly string[],
  rules: LinkRules,
): SourceFolder {
  const unreadable = (what: string, cause: unknown): SpindleError =>
    new SpindleError('ERR_FILE_MISSING', `${what} can't be read: ${reasonOf(cause)}`, { cause })
  const below = (name: string, target: string): SourceFolder =>
    folderOf(target, `${path}${name}/`, [...above, target], rules)
  return {
    kind: 'folder',
    async names() {
      try {
        return await readdir(real)
      } catch (cause) {
        throw unreadable(`the folder "${path || '.'}"`, cause)
      }
    },
    async find(name): Promise<SourceEntry | undefined> {
      // On Windows, a name with its separator would be a path.
      if (['', '.', '..'].includes(name) || name.includes(sep) || /[\0/]/.test(name))
        return undefined
      const place = join(real, name)
      try {
        const found = await lstat(place)
        if (found.isDirectory()) return below(name, place)
        if (found.isSymbolicLink())
          return await follow(place, `${path}${name}`, below.bind(null, name))
      } catch (cause) {
        if (isMissing(cause)) return undefined
        throw unreadable(`"${path}${name}"`, cause)
      }
      return { kind: 'file', open: () => contentOf(path + name, place) }
    },
  }

  async function follow(
    link: string,
    shown: string,
    enter: (target: string) => SourceFolder,
  ): Promise<SourceEntry> {
    const refused = (problem: string): SourceEntry => ({
      kind: 'file',
      open: async () => refusedContent(shown, problem),
    })
    const target = await realpath(link).catch(() => undefined)
    if (target === undefined) return refused('is a link to nothing, or to itself')
    const found = await stat(target)
    if (found.isDirectory() && above.includes(target))
      return refused('is a link to a folder that it is in itself')
    const entry: SourceEntry = found.isDirectory()
      ? enter(target)
      : { kind: 'file', open: () => contentOf(shown, target) }
    if (isWithin(target, rules.inside)) return entry
    return {
      kind: 'exit',
      refused: refusedContent(
        shown,
        'is a link that leads out of the application; put the file itself there',
      ),
      ...(rules.allowsWasmOutside && { target: entry }),
    }
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}
