import type { Command } from 'commander'
import { isLoopback } from '../../http/realm.ts'
import type { Authenticate } from '../../serve/http/basic.ts'
import { MAX_BCRYPT_COST, readHtpasswd } from '../../node/credentials/htpasswd.ts'
import {
  type Address,
  costOption,
  hostNameOption,
  originOption,
  sizeOption,
} from '../terminal/arguments.ts'
import { UsageError } from '../terminal/io.ts'
import type { Output } from '../terminal/output.ts'

/** Flags of the servers about logins, origins and host names. */
export interface AccessFlags {
  readonly htpasswdMaxCost?: number
  readonly cors?: readonly string[]
  readonly allowHost?: readonly string[]
  /** Bytes. */
  readonly maxBufferedSize?: number
}

export function addAccessOptions(command: Command): Command {
  command
    .option(
      '--htpasswd-max-cost <cost>',
      `maximum bcrypt cost in --htpasswd-file (default: ${MAX_BCRYPT_COST})`,
      costOption,
    )
    .option(
      '--cors <origin>',
      'allow cross-origin requests from this origin, for example https://app.example; repeatable (default: none)',
      originOption,
    )
    .option(
      '--max-buffered-size <bytes>',
      'maximum total size of manifests or invoices in transit; beyond that, the slowest request is refused (default: 256MiB)',
      sizeOption,
    )
  return addAllowHostOption(command)
}

export function addAllowHostOption(command: Command): Command {
  return command.option(
    '--allow-host <name>',
    'accepted Host header, for example registry.test, *.registry.test, or * for any; repeatable (default: on a loopback address only localhost and its addresses, else any)',
    hostNameOption,
  )
}

/** Reads the users of a file from `htpasswd -B`; `undefined` without a file. */
export async function readLogins(
  path: string | undefined,
  { htpasswdMaxCost: maxCost }: AccessFlags,
): Promise<Authenticate | undefined> {
  if (path !== undefined) return readHtpasswd(path, maxCost === undefined ? {} : { maxCost })
  if (maxCost !== undefined) throw new UsageError('--htpasswd-max-cost needs --htpasswd-file')
  return undefined
}

/** Whether an address can be reached from this machine only. */
export function isLocal({ host }: Address): boolean {
  return isLoopback(host.includes(':') ? `[${host}]` : host)
}

interface Access {
  readonly address: Address
  /** Whether it requires a password. */
  readonly hasLogins: boolean
  readonly hasTls: boolean
  readonly readOnly: boolean
}

/** Warns if others on the network can write or read passwords. */
export function warnOfAccess(output: Output, url: string, access: Access): void {
  if (isLocal(access.address)) return
  if (!access.hasLogins && !access.readOnly)
    output.warn(`everyone who can reach ${url} can write to it: it requires no password`)
  if (access.hasLogins && !access.hasTls)
    output.warn(`passwords are sent to ${url} unencrypted: use --tls-cert and --tls-key`)
}
