import { formatStandalone } from '../bindle/standalone.ts'
import type { App } from '../spin/source/app.ts'
import { appToBindle, type ToBindleOptions } from '../spin/bindle/to-bindle.ts'
import type { FileTree } from '../types.ts'

/**
 * The standalone form of an application's bindle, path → content, as `spin bindle prepare` wrote
 * it.
 *
 * Exported from `spindle/bindle`. Contents are read when they are
 * written, so that memory use does not grow with the number of files.
 *
 * @example Into a folder
 * ```ts
 * await writeDirectory('staging', await prepareBindle(app))
 * ```
 * @throws as `appToBindle`
 */
export async function prepareBindle(app: App, options: ToBindleOptions = {}): Promise<FileTree> {
  return formatStandalone(await appToBindle(app, options))
}
