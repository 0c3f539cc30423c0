import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { chunksOf } from '../../bytes/stream.ts'
import type { PulledApp } from '../../spin/artifact/pulled-app.ts'
import { readLayoutTar } from '../../store/layout-tar.ts'
import type { OperationOptions } from '../../types.ts'
import { copy } from '../../verbs/copy.ts'
import { writeThrough } from '../../node/files/bounded-file.ts'
import { openLayoutDirectory } from '../../node/files/layout-directory.ts'
import { writeChunks } from '../../node/files/write-chunks.ts'
import { CommandError } from '../terminal/io.ts'
import { assertVacant } from './write-folder.ts'

const isTar = (path: string): boolean => path.endsWith('.tar')

/** Refuses a path that holds something other than a layout: files of the user are never overwritten. */
export async function assertLayout(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return
  if (isTar(path)) throw new CommandError(`${path} already exists; remove it, or name another file`)
  if (!found.isDirectory())
    throw new CommandError(`${path} is a file; name a folder, or a file that ends with .tar`)
  const marker = await stat(join(path, 'oci-layout')).catch(() => undefined)
  if (marker === undefined) await assertVacant(path)
}

/** Adds an application to an OCI image layout in a folder, or creates a tar archive of one. */
export async function writeLayout(
  app: PulledApp,
  path: string,
  tag: string,
  options: OperationOptions & { readonly concurrency?: number },
): Promise<void> {
  const from = { store: app.store, ref: app.descriptor.digest }
  if (!isTar(path)) {
    await copy(from, { store: openLayoutDirectory(path), ref: tag }, options)
    return
  }
  const layout = await readLayoutTar()
  await copy(from, { store: layout, ref: tag }, options)
  const temporary = `${path}.${randomBytes(6).toString('hex')}.partial`
  await writeThrough(temporary, path, undefined, (file) =>
    writeChunks(file, chunksOf(layout.archive().stream(), options.signal)),
  )
}
