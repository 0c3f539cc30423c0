import { realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { App } from '../../spin/source/app.ts'
import { lockApp } from '../../spin/source/lock-app.ts'
import type { AppPlace } from '../app/app-source.ts'
import type { CliIo } from '../terminal/io.ts'
import { loadLocalApp, localAppOptions, type LocalFlags } from '../app/local-app.ts'
import type { Output } from '../terminal/output.ts'
import { watchFolder } from './watch-folder.ts'

export interface Reloader {
  /** Stops reloading. Resolves when the last reload has finished. */
  close(): Promise<void>
}

/**
 * Reloads an application when its files change. If it fails to load, the previous version keeps running.
 * @param own Folders that the running application writes to.
 */
export function createReloader(
  { place }: Extract<AppPlace, { kind: 'folder' }>,
  first: App,
  flags: LocalFlags,
  own: readonly string[],
  io: CliIo,
  output: Output,
  swap: (app: App) => Promise<void>,
): Reloader {
  let isClosed = false
  let last: Promise<string | undefined> = lockOf(first)
  let work: Promise<void> = Promise.resolve()
  const reload = async (): Promise<void> => {
    if (isClosed) return
    try {
      // A requested build is not run again: its output would trigger the next reload.
      const app = await loadLocalApp(
        place,
        { ...localAppOptions(flags, io), build: false },
        io,
        output,
      )
      const lock = await lockOf(app)
      if (isClosed || lock === (await last)) return
      output.note('The application has changed: restarting it.')
      await swap(app)
      last = Promise.resolve(lock)
    } catch (error) {
      if (!isClosed)
        output.warn(
          `reload failed, the previous version keeps running: ${(error as Error).message}`,
        )
    }
  }
  const change = (): void => void (work = work.then(reload))
  const failed = (error: Error): void =>
    output.warn(`changes are not detected, this folder cannot be watched: ${error.message}`)
  const watchers = [place.directory, ...outsideFolders(first, place.directory)].map((folder) =>
    watchFolder(folder, own, change, failed),
  )
  return {
    close: () => {
      isClosed = true
      for (const one of watchers) one.close()
      return work
    },
  }
}

/** Folders outside the application's that contain its Wasm. */
function outsideFolders(app: App, directory: string): string[] {
  const depth = app.manifestPath.split('/').length - 1
  if (depth === 0) return []
  // As the loader does: `..` of a folder behind a link is that of its real place.
  const top = resolve(realpathSync(directory), ...Array<string>(depth).fill('..'))
  const prefix = app.manifestPath.slice(0, app.manifestPath.lastIndexOf('/') + 1)
  const beside = [...app.files.keys()].filter((path) => !path.startsWith(prefix))
  return [...new Set(beside.map((path) => dirname(resolve(top, path))))]
}

/** The locked application as text, which is equal for equal files. */
async function lockOf(app: App): Promise<string | undefined> {
  return lockApp(app).then(
    ({ locked }) => JSON.stringify(locked),
    () => undefined,
  )
}
