import { availableMemory } from 'node:process'
import type { Command } from 'commander'
import type { Remedy } from '../../errors.ts'
import { countOption, sizeOption } from './arguments.ts'
import { UsageError } from './io.ts'

/** The flags for options of the library, the best first. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  cacheDir: ['--cache-dir'],
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
  minRate: ['--min-rate'],
  output: ['--output', '--export', '--oci-layout'],
  timeout: ['--response-timeout'],
}

/** The flag of a command for the option of a remedy, if it has one. */
export function flagFor({ option }: Remedy, command: Command | undefined): string | undefined {
  return FLAGS[option]?.find((flag) => command?.options.some(({ long }) => long === flag))
}

/** Flags of commands that read a complete application. */
export interface SizeFlags {
  /** In bytes. Default: the space or memory of the machine. */
  readonly maxSize?: number
  readonly maxFiles?: number
}

/** @param what The default limit, for example "the free space on disk". */
export function addSizeOptions(command: Command, what: string): Command {
  return command
    .option(
      '--max-size <bytes>',
      `maximum unpacked size of an application (default: ${what})`,
      sizeOption,
    )
    .option(
      '--max-files <count>',
      'maximum files in an application or archive (default: 200000)',
      countOption,
    )
}

/**
 * Refuses flags that have no effect on a source: the user relies on a given limit.
 * @param what The source, for example "a .wasm file".
 */
export function refuseIdleFlags<T>(
  flags: T,
  names: readonly (keyof T & string)[],
  what: string,
): void {
  const idle = names.find((name) => flags[name] !== undefined)
  if (idle === undefined) return
  const flag = `--${idle.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  throw new UsageError(`${flag} has no effect on ${what}: leave it out`)
}

/** Limits of an application. */
export interface SizeLimits {
  /** Bytes where it is held in memory. */
  readonly memory: number
  /** Bytes where it is written to disk; `undefined` for the free space. */
  readonly disk: number | undefined
  readonly maxFiles?: number
}

export function sizeLimits({ maxSize, maxFiles }: SizeFlags): SizeLimits {
  return {
    memory: maxSize ?? availableMemory(),
    disk: maxSize,
    ...(maxFiles !== undefined && { maxFiles }),
  }
}
