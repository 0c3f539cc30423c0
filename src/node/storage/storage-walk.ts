import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { namesOfFolder, parseName } from './storage-path.ts'
import { codeOf } from '../files/system-error.ts'
import { withDescriptor } from '../files/descriptors.ts'

type Gate = <T>(work: () => Promise<T>) => Promise<T>

/**
 * Keys of a file storage that begin with `prefix` and come after `after`, in code unit order.
 * Folders that can't have any are not opened.
 */
export async function* walkKeys(
  root: string,
  prefix: string,
  after: string,
  gate: Gate,
): AsyncGenerator<string> {
  const whole = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  // A prefix comes from a client: one that is not a path of a key has no keys.
  if (/(?:^|\/)(?:\.{0,2})\//.test(whole) || /[^\x21-\x7e]|\\/.test(whole)) return
  yield* walk(join(root, ...namesOfFolder(whole)), whole)

  async function* walk(folder: string, base: string): AsyncGenerator<string> {
    const entries = (await gate(() => readFolder(folder)))
      .map((entry) => ({ name: entry.name, part: parseName(entry.name, entry.isDirectory()) }))
      .flatMap(({ name, part }) =>
        part === undefined ? [] : [{ name, kind: part.kind, key: base + part.text }],
      )
      .sort((a, b) => (a.key < b.key ? -1 : 1))
    for (const { name, kind, key } of entries) {
      if (kind === 'file') {
        if (key.startsWith(prefix) && key > after) yield key
      } else if (
        (key.startsWith(prefix) || prefix.startsWith(key)) &&
        (key > after || after.startsWith(key))
      ) {
        yield* walk(join(folder, name), key)
      }
    }
  }
}

async function readFolder(folder: string): Promise<Dirent[]> {
  try {
    return await withDescriptor(() => readdir(folder, { withFileTypes: true }))
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return []
    throw error
  }
}
