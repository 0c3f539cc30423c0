import { forEachBounded } from '../../bytes/concurrency.ts'
import { normalizePath, quotePath } from '../../bytes/path.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import type { PulledApp } from '../../spin/artifact/pulled-app.ts'
import type { Content, Digest, OperationOptions } from '../../types.ts'
import { writeFolder, type WrittenFolder } from './write-folder.ts'

/** Files written concurrently. */
const CONCURRENCY = 16

/**
 * Writes an application into a new folder: `manifest.json` and `locked.json` as pulled, each
 * component as `ID.wasm`, its files below `assets/ID/`.
 * @param contents See `openContents`.
 */
export async function writeApp(
  app: PulledApp,
  contents: ReadonlyMap<Digest, Content>,
  directory: string,
  platform: string,
  options: OperationOptions,
): Promise<WrittenFolder> {
  const contentOf = (digest: Digest): Content => contents.get(digest) as Content
  return writeFolder(directory, platform, options, async (write) => {
    await write('manifest.json', app.manifestBytes)
    await write('locked.json', encodeUtf8(`${JSON.stringify(app.locked, undefined, 2)}\n`))
    for (const { id, source, files = [] } of app.locked.components) {
      assertName(id)
      await write(`${id}.wasm`, contentOf(source.digest))
      // Of two files with one path the later wins, as in sequential writes.
      const byPath = new Map(files.map(({ path, digest }) => [path, digest]))
      await forEachBounded(
        byPath,
        CONCURRENCY,
        ([path, digest]) => write(`assets/${id}/${path}`, contentOf(digest)),
        options.signal,
      )
    }
  })
}

/** Refuses a component id that is not a plain file name. */
function assertName(id: string): void {
  const result = normalizePath(id)
  if ('problem' in result || result.path !== id || id.includes('/')) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the application has a component ${quotePath(id)}, which is not a valid file name; nothing was written`,
    )
  }
}
