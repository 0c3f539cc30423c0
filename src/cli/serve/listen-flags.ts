import { type Command, InvalidArgumentError } from 'commander'
import type { ListenOptions } from '../../node/listen/listen.ts'
import { countOption, sizeOption } from '../terminal/arguments.ts'

/** Flags of every command that listens: what its clients may take. */
export interface ListenFlags {
  /** Bytes. */
  readonly maxHeaderSize?: number
  /** Bytes per second; 0 for any. */
  readonly minBodyRate?: number
  readonly maxConnections?: number
}

/** @param headerSize The default of `--max-header-size`, for the help. */
export function addListenOptions(command: Command, headerSize = '16384'): Command {
  return command
    .option(
      '--max-header-size <bytes>',
      `most bytes of a request's line and headers (default: ${headerSize})`,
      sizeOption,
    )
    .option(
      '--min-body-rate <bytes>',
      'bytes per second that a request body must bring, over 30 seconds; 0 for any (default: 240)',
      rateOption,
    )
    .option(
      '--max-connections <count>',
      'connections at once; one more ends an idle or slow one (default: 1000, or half of the files that the process may open)',
      countOption,
    )
}

function rateOption(text: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new InvalidArgumentError('Write bytes per second, as in 240; 0 for any.')
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
