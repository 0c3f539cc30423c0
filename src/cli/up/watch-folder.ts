import { type FSWatcher, watch } from 'node:fs'
import { resolve, sep } from 'node:path'

/** Milliseconds of quiet after a change: a build or an editor writes more than once. */
const QUIET = 300
/** Folders that programs write to while nothing of the application changes. */
const NOISE = /(?:^|[\\/])(?:\.git|\.spin|node_modules)(?:[\\/]|$)/

/** Calls back when something below a folder has changed and rests, but for what is in a folder of `own`. */
export function watchFolder(
  folder: string,
  own: readonly string[],
  onChange: () => void,
  onError: (error: Error) => void,
): { close(): void } {
  let timer: NodeJS.Timeout | undefined
  let watcher: FSWatcher | undefined
  const isOwn = (path: string): boolean =>
    own.some((one) => path === one || path.startsWith(one + sep))
  const later = (name: string | null): void => {
    if (name !== null && (NOISE.test(name) || isOwn(resolve(folder, name)))) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      // Node 20 and 22 on Linux don't watch a file any more that was replaced, as editors do.
      start()
      onChange()
    }, QUIET)
  }
  const start = (): void => {
    watcher?.close()
    try {
      watcher = watch(folder, { recursive: true }, (_event, name) => later(name))
      watcher.on('error', onError)
    } catch (error) {
      // Some file systems can't be watched: the application runs all the same.
      onError(error as Error)
    }
  }
  start()
  return {
    close: () => {
      clearTimeout(timer)
      watcher?.close()
    },
  }
}
