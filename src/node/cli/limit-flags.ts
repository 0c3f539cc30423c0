import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { availableMemory } from 'node:process'
import type { Command } from 'commander'
import type { Remedy } from '../../errors.ts'
import { countOption, sizeOption } from './arguments.ts'

/** The flags that stand for options of the library at a shell, the most fitting one first. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  chunkSize: ['--chunk-size'],
  concurrency: ['--concurrency'],
  idleTimeout: ['--response-timeout'],
  insecure: ['--insecure'],
  maxBytes: ['--max-size'],
  maxFiles: ['--max-files'],
  maxKeys: ['--max-keys'],
  maxManifests: ['--max-manifests'],
  maxMemory: ['--max-memory'],
  maxWasmBytes: ['--max-size'],
  maxReferrers: ['--max-referrers'],
  timeout: ['--response-timeout'],
}

/** The flag of a command that does what a remedy advises, if it has one. */
export function flagFor({ option }: Remedy, command: Command | undefined): string | undefined {
  return FLAGS[option]?.find((flag) => command?.options.some(({ long }) => long === flag))
}

/** Flags of every command that fetches or reads a whole application. */
export interface SizeFlags {
  /** In bytes. Default: what the machine has. */
  readonly maxSize?: number
  readonly maxFiles?: number
}

/** @param what The command takes by default, as in "the free space on disk". */
export function addSizeOptions(command: Command, what: string): Command {
  return command
    .option(
      '--max-size <bytes>',
      `most bytes of an application, unpacked (default: ${what})`,
      sizeOption,
    )
    .option(
      '--max-files <count>',
      'most files of an application or archive (default: 200000)',
      countOption,
    )
}

/**
 * Bytes that an application may have where it is written to disk: what is free in the fullest of the
 * folders.
 */
export async function diskLimit(flags: SizeFlags, folders: readonly string[]): Promise<number> {
  if (flags.maxSize !== undefined) return flags.maxSize
  return Math.min(...(await Promise.all(folders.map(freeSpace))))
}

/** Bytes that an application may have where it is held in memory. */
export function memoryLimit(flags: SizeFlags): number {
  return flags.maxSize ?? availableMemory()
}

/** In bytes, where a folder is or will be made. */
async function freeSpace(folder: string): Promise<number> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const found = await statfs(at).catch(() => undefined)
    if (found !== undefined) return found.bavail * found.bsize
    if (dirname(at) === at) return Infinity
  }
}
