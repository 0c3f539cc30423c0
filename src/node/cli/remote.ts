import { cacheFolder } from '../environment.ts'
import { createNodeHasher } from '../hasher.ts'
import { createNodeKeychain } from '../keychain.ts'
import type { Keychain, Reference, RemoteOptions } from '../../types.ts'
import { join, resolve } from 'node:path'
import type { CliIo } from './io.ts'
import type { Output } from './output.ts'

/** Flags of every command that talks to a registry. */
export interface RemoteFlags {
  readonly insecure?: boolean
  readonly concurrency?: number
  readonly json?: boolean
}

/** Options of the library's verbs, from flags and this machine's logins. */
export function remoteOptions(
  io: CliIo,
  output: Output,
  flags: RemoteFlags,
  references: readonly Pick<Reference, 'registry'>[],
): RemoteOptions & { readonly credentials: Keychain } {
  return {
    credentials: createNodeKeychain(io),
    createHasher: createNodeHasher,
    signal: io.signal,
    onWarning: ({ host, message }) => output.warn(`${host} says: ${message}`),
    ...(io.fetch === undefined ? {} : { fetch: io.fetch }),
    ...(flags.concurrency === undefined ? {} : { concurrency: flags.concurrency }),
    ...(flags.insecure === true ? { insecure: references.map(({ registry }) => registry) } : {}),
  }
}

/** Where pulled content is kept: Spin's cache, or the folder that is given in its place. */
export function cacheRoot(io: CliIo, given: string | undefined): string {
  return given === undefined ? join(cacheFolder(io), 'spin') : resolve(io.cwd, given)
}
