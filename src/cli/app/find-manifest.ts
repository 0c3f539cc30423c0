import { stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { CommandError } from '../terminal/io.ts'
import { isMissing } from '../../node/files/system-error.ts'

export interface ManifestPlace {
  readonly directory: string
  /** The file name in `directory`. */
  readonly name: string
}

const NAME = 'spin.toml'

/**
 * Finds an application's manifest as Spin does: the named file or folder, else `spin.toml`
 * in the current folder or the nearest parent that has one.
 */
export async function findManifest(cwd: string, path: string | undefined): Promise<ManifestPlace> {
  if (path !== undefined) {
    const named = resolve(cwd, path)
    const found = await kindOf(named)
    if (found === 'file') return { directory: dirname(named), name: basename(named) }
    if (found === undefined)
      throw new CommandError(`there is no file or folder "${path}" in ${cwd}`)
    if ((await kindOf(join(named, NAME))) === 'file') return { directory: named, name: NAME }
    throw new CommandError(
      `the folder "${path}" has no ${NAME}; name the manifest with --from FILE`,
    )
  }
  for (let directory = resolve(cwd); ; directory = dirname(directory)) {
    if ((await kindOf(join(directory, NAME))) === 'file') return { directory, name: NAME }
    if (dirname(directory) === directory) break
  }
  throw new CommandError(
    `there is no ${NAME} in ${cwd} or a parent folder; name one with --from FILE`,
  )
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file'
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
