import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { concat } from '../bytes/stream.ts'
import { decodeUtf8, encodeUtf8 } from '../bytes/text.ts'
import { SpindleError } from '../errors.ts'
import type { KeyValueStore } from '../run/spin/key-value-store.ts'
import { writeFileAtomicSync } from './bounded-file.ts'
import { isMissing } from './system-error.ts'

/** Before the key in each file: its length in bytes. */
const HEAD = 4
const NAME = /^[0-9a-f]{64}$/

/**
 * A key-value store in a folder, one file for each value. It answers at once, so that guests need
 * not wait for it, and a value appears whole or not at all.
 *
 * Exported from `spindle/node`. Give each label and application a folder of its own.
 *
 * @example Keep what an application stores
 * createAppHandler(app, { keyValue: (label) => createFileKeyValue(`./state/${label}`) })
 */
export function createFileKeyValue(folder: string): KeyValueStore {
  mkdirSync(folder, { recursive: true })
  // A key may hold anything and be longer than a file's name.
  const pathOf = (key: string): string =>
    join(folder, createHash('sha256').update(key).digest('hex'))
  const read = (path: string): { key: string; value: Uint8Array } | undefined => {
    let bytes: Buffer
    try {
      bytes = readFileSync(path)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
    const end = bytes.length < HEAD ? Infinity : HEAD + bytes.readUInt32LE()
    const key = end > bytes.length ? undefined : decodeUtf8(bytes.subarray(HEAD, end))
    if (key === undefined)
      throw new SpindleError(
        'ERR_CONTENT_INVALID',
        `${path} is no value of a key-value store: put back a copy of it, or remove it`,
      )
    return { key, value: new Uint8Array(bytes.subarray(end)) }
  }
  return {
    get: (key) => read(pathOf(key))?.value,
    set(key, value) {
      const name = encodeUtf8(key)
      const head = new Uint8Array(HEAD)
      new DataView(head.buffer).setUint32(0, name.length, true)
      writeFileAtomicSync(pathOf(key), concat([head, name, value]), 0o600)
    },
    delete: (key) => rmSync(pathOf(key), { force: true }),
    keys: () =>
      readdirSync(folder)
        .filter((name) => NAME.test(name))
        .flatMap((name) => read(join(folder, name))?.key ?? []),
  }
}
