import { MAX_JSON_KEYS } from '../../bytes/json.ts'
import type { UnpackOptions } from '../../spin/artifact/unpack.ts'
import { cacheFolder } from '../../node/files/environment.ts'
import { createNodeHasher } from '../../node/files/hasher.ts'
import { createNodeKeychain } from '../../node/credentials/keychain.ts'
import type { Keychain, Reference, RemoteOptions } from '../../types.ts'
import { type Command, Option } from 'commander'
import { join, resolve } from 'node:path'
import { countOption, sizeOption, timeLimitOption } from '../terminal/arguments.ts'
import type { CliIo } from '../terminal/io.ts'
import type { Output } from '../terminal/output.ts'
import { isOn, switchOption } from '../terminal/switch-option.ts'

/**
 * Milliseconds until a server responds. Registries that scan or replicate on a manifest's PUT
 * (Harbor), or copy a large blob on its last request, take minutes.
 */
const RESPONSE_TIMEOUT = 5 * 60_000

/** Flags of commands that connect to a server. */
export interface ServerFlags {
  /** Milliseconds; `false` for no limit. */
  readonly responseTimeout?: number | false
  /** Bytes per second; 0 for none. */
  readonly minRate?: number
}

/** Flags of commands that connect to a registry. */
export interface RemoteFlags extends ServerFlags {
  readonly insecure?: boolean
  readonly concurrency?: number
  readonly maxKeys?: number
  readonly json?: boolean
}

/** Options for the library's verbs, from flags and the logins of this machine. */
export function remoteOptions(
  io: CliIo,
  output: Output,
  flags: RemoteFlags,
  references: readonly Pick<Reference, 'registry'>[],
): RemoteOptions & Pick<UnpackOptions, 'maxKeys'> & { readonly credentials: Keychain } {
  return {
    credentials: createNodeKeychain(io),
    createHasher: createNodeHasher,
    signal: io.signal,
    ...timeLimits(flags),
    onWarning: ({ host, message }) => output.warn(`${host} sends a warning: ${message}`),
    ...(io.fetch === undefined ? {} : { fetch: io.fetch }),
    ...(flags.concurrency === undefined ? {} : { concurrency: flags.concurrency }),
    ...(flags.maxKeys === undefined ? {} : { maxKeys: flags.maxKeys }),
    ...(flags.insecure === true ? { insecure: references.map(({ registry }) => registry) } : {}),
  }
}

/** Timeouts for the library's clients. */
export function timeLimits({ responseTimeout, minRate }: ServerFlags): {
  readonly timeout: number | false
  readonly idleTimeout?: number | false
  readonly minRate?: number
} {
  return {
    timeout: responseTimeout ?? RESPONSE_TIMEOUT,
    ...(responseTimeout !== undefined && { idleTimeout: responseTimeout }),
    ...(minRate !== undefined && { minRate }),
  }
}

export function responseTimeoutOption(): Option {
  return new Option(
    '--response-timeout <seconds>',
    'maximum wait for a response (default: 300), and for more data during a download (default: 60); 0 disables both limits',
  ).argParser(timeLimitOption)
}

/** For commands that download blobs or parcels. */
export function minRateOption(): Option {
  return new Option(
    '--min-rate <bytes>',
    'minimum download rate in bytes per second, for example 512 or 10KiB; 0 disables the limit (default: 1024)',
  ).argParser((text: string) => (text === '0' ? 0 : sizeOption(text)))
}

/** @param of The document that lists files: a locked application, or an invoice. */
export function maxKeysOption(of: string): Option {
  return new Option(
    '--max-keys <count>',
    `maximum keys in ${of}, about 3 to 14 per file (default: ${MAX_JSON_KEYS})`,
  ).argParser(countOption)
}

/** Options of commands that download an application from a registry. @param of See `maxKeysOption`. */
export function addDownloadOptions(command: Command, of = 'a locked application'): Command {
  return command
    .addOption(responseTimeoutOption())
    .addOption(minRateOption())
    .option('--cache-dir <folder>', "cache folder (default: Spin's cache)")
    .option('--concurrency <count>', 'maximum concurrent blob transfers (default: 8)', countOption)
    .addOption(maxKeysOption(of))
}

/** The cache folder: Spin's, or the given one. */
export function cacheRoot(io: CliIo, given: string | undefined): string {
  return given === undefined ? join(cacheFolder(io), 'spin') : resolve(io.cwd, given)
}

/** Adds `--insecure` with the aliases of cosign, and timeouts. */
export function addInsecureOptions(command: Command): Command {
  const aliases = ['--allow-http-registry', '--allow-insecure-registry']
  command
    .option('-k, --insecure', 'connect to the registry over plain HTTP')
    .addOption(responseTimeoutOption())
    .addOption(minRateOption())
  for (const alias of aliases)
    command.addOption(switchOption(alias, "cosign's name for --insecure").hideHelp())
  return command.hook('preAction', () => {
    const flags = command.opts<Record<string, boolean | string | undefined>>()
    if (isOn(flags['allowHttpRegistry']) || isOn(flags['allowInsecureRegistry']))
      command.setOptionValue('insecure', true)
  })
}
