import { type FSWatcher, watch } from 'node:fs'
import { resolve, sep } from 'node:path'

/** Milliseconds without a change before the callback: builds and editors write more than once. */
const QUIET = 300
/** Folders whose changes are ignored. */
const NOISE = /(?:^|[\\/])(?:\.git|\.spin|node_modules)(?:[\\/]|$)/

/** Calls `onChange` after changes in a folder, except in the folders of `own`. */
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
      // Node 20 and 22 on Linux stop watching a file that was replaced, as editors do.
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
      // Some file systems cannot be watched; the application runs anyway.
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
