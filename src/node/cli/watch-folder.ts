import { type FSWatcher, watch } from 'node:fs'

/** Milliseconds of quiet after a change: a build or an editor writes more than once. */
const QUIET = 300
/** Folders that programs write to while nothing of the application changes. */
const NOISE = /(?:^|[\\/])(?:\.git|\.spin|node_modules)(?:[\\/]|$)/

/** Calls back when something below a folder has changed and rests. */
export function watchFolder(
  folder: string,
  onChange: () => void,
  onError: (error: Error) => void,
): { close(): void } {
  let timer: NodeJS.Timeout | undefined
  let watcher: FSWatcher | undefined
  const later = (name: string | null): void => {
    if (name !== null && NOISE.test(name)) return
    clearTimeout(timer)
    timer = setTimeout(onChange, QUIET)
  }
  try {
    watcher = watch(folder, { recursive: true }, (_event, name) => later(name))
    watcher.on('error', onError)
  } catch (error) {
    // Some file systems can't be watched: the application runs all the same.
    onError(error as Error)
  }
  return {
    close: () => {
      clearTimeout(timer)
      watcher?.close()
    },
  }
}
