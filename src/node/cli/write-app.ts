import { mapBounded } from '../../bytes/concurrency.ts'
import { normalizePath, quotePath } from '../../bytes/path.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import type { PulledApp } from '../../spin/pulled-app.ts'
import type { OperationOptions } from '../../types.ts'
import { writeFolder, type WrittenFolder } from './write-folder.ts'

/** Files written side by side. */
const CONCURRENCY = 16

/**
 * Writes an application into a new folder: `manifest.json` and `locked.json` as pulled, each
 * component as `ID.wasm`, its files below `assets/ID/`.
 */
export async function writeApp(
  app: PulledApp,
  directory: string,
  platform: string,
  options: OperationOptions,
): Promise<WrittenFolder> {
  return writeFolder(directory, platform, options, async (write) => {
    await write('manifest.json', app.manifest)
    await write('locked.json', encodeUtf8(`${JSON.stringify(app.locked, undefined, 2)}\n`))
    for (const { id } of app.locked.components) {
      assertName(id)
      await write(`${id}.wasm`, await app.component(id, options))
      const files = [...(await app.files(id, options))]
      await mapBounded(
        files,
        CONCURRENCY,
        ([path, content]) => write(`assets/${id}/${path}`, content),
        options.signal,
      )
    }
  })
}

/** A component's id becomes a file's name: one that leads elsewhere is refused. */
function assertName(id: string): void {
  const result = normalizePath(id)
  if ('problem' in result || result.path !== id || id.includes('/')) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the application has a component ${quotePath(id)}, which can't be a file's name; nothing was written`,
    )
  }
}
