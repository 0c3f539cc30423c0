import { type Command, InvalidArgumentError } from 'commander'
import type { ListenOptions } from '../../node/listen/listen.ts'
import { countOption, sizeOption } from '../terminal/arguments.ts'

/** Flags of commands that listen: limits for clients. */
export interface ListenFlags {
  /** Bytes. */
  readonly maxHeaderSize?: number
  /** Bytes per second; 0 for any. */
  readonly minBodyRate?: number
  readonly maxConnections?: number
}

/** @param headerSize The default of `--max-header-size` in the help. */
export function addListenOptions(command: Command, headerSize = '16384'): Command {
  return command
    .option(
      '--max-header-size <bytes>',
      `maximum size of a request's line and headers (default: ${headerSize})`,
      sizeOption,
    )
    .option(
      '--min-body-rate <bytes>',
      'minimum rate of a request body in bytes per second, measured over 30 seconds; 0 disables the limit (default: 240)',
      rateOption,
    )
    .option(
      '--max-connections <count>',
      'maximum concurrent connections; one more closes an idle or slow one (default: 1000, or half of the limit of open files)',
      countOption,
    )
}

function rateOption(text: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new InvalidArgumentError('Write bytes per second, for example 240, or 0 for no limit.')
  return Number(text)
}

export function listenLimits(flags: ListenFlags): Partial<ListenOptions> {
  const { maxHeaderSize, minBodyRate, maxConnections } = flags
  return {
    ...(maxHeaderSize !== undefined && { maxHeaderSize }),
    ...(minBodyRate !== undefined && { minBodyRate }),
    ...(maxConnections !== undefined && { maxConnections }),
  }
}
