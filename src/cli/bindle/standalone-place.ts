import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type BindleId, canonicalName } from '../../bindle/id.ts'
import {
  formatStandalone,
  packStandalone,
  parseStandalone,
  type StandaloneBindle,
  unpackStandalone,
} from '../../bindle/standalone.ts'
import { streamFrom } from '../../bytes/stream.ts'
import type { FileTree, OperationOptions } from '../../types.ts'
import { contentOf, readDirectory } from '../../node/files/directory.ts'
import { writeDirectory } from '../../node/files/write-directory.ts'
import { CommandError, type CliIo } from '../terminal/io.ts'
import { type SizeFlags, type SizeLimits, sizeLimits } from '../terminal/limit-flags.ts'

interface StandaloneLimits extends SizeLimits {
  /** Keys of the invoice. */
  readonly maxKeys?: number
}

export function standaloneLimits(
  flags: SizeFlags & { readonly maxKeys?: number },
): StandaloneLimits {
  const { maxKeys } = flags
  return { ...sizeLimits(flags), ...(maxKeys !== undefined && { maxKeys }) }
}

/**
 * Opens a standalone bindle where the `bindle` command looks for it: the tarball or folder named for the
 * id in `path`, or `path` itself.
 */
export async function openStandalone(
  path: string,
  id: BindleId,
  { memory, disk, maxFiles, maxKeys }: StandaloneLimits,
  io: CliIo,
): Promise<StandaloneBindle> {
  const place = resolve(io.cwd, path)
  const found = await stat(place).catch(() => undefined)
  if (found === undefined) throw new CommandError(`there is no file or folder "${path}"`)
  const options = { signal: io.signal, maxKeys, ...(maxFiles === undefined ? {} : { maxFiles }) }
  // A tarball is unpacked into memory; files of a folder stay on disk.
  const unpack = async (file: string): Promise<StandaloneBindle> =>
    unpackStandalone(await contentOf(file, file), { ...options, maxBytes: memory })
  if (found.isFile()) return asked(await unpack(place), id)
  const tarball = join(place, await tarballName(id))
  if ((await stat(tarball).catch(() => undefined))?.isFile() === true)
    return asked(await unpack(tarball), id)
  const folder = join(place, await canonicalName(id))
  const inside = (await stat(folder).catch(() => undefined))?.isDirectory() === true
  const tree = await readDirectory(inside ? folder : place, {
    ...options,
    ...(disk === undefined ? {} : { maxBytes: disk }),
  })
  return parseStandalone(tree, id, { maxKeys })
}

/** Writes a standalone bindle to a folder, where `openStandalone` finds it. */
export async function writeStandalone(
  bindle: StandaloneBindle,
  directory: string,
  form: 'folder' | 'tarball',
  options: OperationOptions,
): Promise<void> {
  // The size is unknown before packing, and not used.
  const stream = () => streamFrom(packStandalone(bindle, options))
  const files: FileTree =
    form === 'folder'
      ? await formatStandalone(bindle)
      : new Map([[await tarballName(bindle.id), { size: 0, stream }]])
  await writeDirectory(directory, files, options)
}

async function tarballName(id: BindleId): Promise<string> {
  return `${await canonicalName(id)}.tar.gz`
}

function asked(bindle: StandaloneBindle, id: BindleId): StandaloneBindle {
  if (String(bindle.id) !== String(id))
    throw new CommandError(`the standalone bindle is ${bindle.id}, not ${id}`)
  return bindle
}
