import { join, resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  type BindleClient,
  type BindleClientOptions,
  createBindleClient,
} from '../../bindle/client.ts'
import type { BindleCredentials } from '../../bindle/credentials.ts'
import { parseBindleId, type BindleId } from '../../bindle/id.ts'
import { createOidcCredentials, formatTokenFile, parseTokenFile } from '../../bindle/oidc.ts'
import { readFileBounded, writeFileAtomic } from '../../node/files/bounded-file.ts'
import { configFolder, nonEmpty } from '../../node/files/environment.ts'
import { CommandError, type CliIo, UsageError } from '../terminal/io.ts'
import type { Output } from '../terminal/output.ts'
import {
  maxKeysOption,
  responseTimeoutOption,
  type ServerFlags,
  timeLimits,
} from '../registry/remote.ts'

/** Flags of commands that connect to a Bindle server. */
export interface BindleServerFlags extends ServerFlags {
  readonly bindleServer?: string
  readonly bindleUsername?: string
  readonly bindlePassword?: string
  readonly tokenFile?: string
  readonly insecure?: boolean
  readonly maxKeys?: number
  readonly json?: boolean
}

/** Token files have a few kilobytes. */
const MAX_TOKEN_FILE_BYTES = 256 * 1024

/** Flags and variables have Spin's names; those of the `bindle` command are accepted too. */
export function addBindleServerOptions(command: Command): Command {
  return command
    .option('--bindle-server <url>', 'Bindle server (default: BINDLE_URL)')
    .addOption(new Option('-s, --server <url>', 'same as --bindle-server').hideHelp())
    .option('--bindle-username <name>', 'user name (default: BINDLE_USERNAME)')
    .option('--bindle-password <password>', 'password (default: BINDLE_PASSWORD)')
    .option(
      '--token-file <file>',
      'file with login tokens (default: BINDLE_TOKEN_FILE, else the file of "bindle login")',
    )
    .option('-k, --insecure', 'connect to the server over plain HTTP')
    .addOption(responseTimeoutOption())
    .addOption(maxKeysOption('an invoice'))
    .option('--json', 'print the result as JSON')
}

export function idArgument(text: string): BindleId {
  try {
    return parseBindleId(text)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

export function serverOf(
  flags: BindleServerFlags & { readonly server?: string },
  { env }: CliIo,
): URL {
  const text = flags.bindleServer ?? flags.server ?? nonEmpty(env['BINDLE_URL'])
  if (text === undefined)
    throw new UsageError('no Bindle server is named: give --bindle-server URL, or set BINDLE_URL')
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UsageError('the Bindle server must be a URL, for example https://bindle.example/v1')
  return url
}

/** A Bindle server, and how it is reached. */
interface BindleServer {
  readonly url: URL
  readonly login: BindleCredentials | undefined
  /** The file with the tokens of a login; an error if it is missing and was named. */
  readonly tokens: { readonly path: string; readonly isNamed: boolean }
  readonly client: BindleClientOptions
}

/** The server that flags or variables name, with its login. */
export function bindleServer(flags: BindleServerFlags, io: CliIo): BindleServer {
  const { maxKeys, insecure } = flags
  const url = serverOf(flags, io)
  return {
    url,
    login: loginOf(flags, io),
    tokens: { path: tokenFileOf(flags, url, io), isNamed: namedTokenFile(flags, io) !== undefined },
    client: {
      ...timeLimits(flags),
      ...(maxKeys !== undefined && { maxKeys }),
      ...(insecure === true && { insecure: [url.host] }),
    },
  }
}

/** A client for a server, with the login that is meant for it. */
export async function bindleClient(
  server: BindleServer,
  io: CliIo,
  output: Output,
): Promise<BindleClient> {
  const credentials = server.login ?? (await tokensOf(server))
  return createBindleClient(server.url, {
    ...server.client,
    onWarning: ({ host, message }) => output.warn(`${host} sends a warning: ${message}`),
    ...(credentials === undefined ? {} : { credentials }),
    ...(io.fetch === undefined ? {} : { fetch: io.fetch }),
  })
}

function loginOf(
  { bindleUsername, bindlePassword }: BindleServerFlags,
  { env }: CliIo,
): BindleCredentials | undefined {
  const username =
    bindleUsername ?? nonEmpty(env['BINDLE_USERNAME']) ?? nonEmpty(env['BINDLE_HTTP_USER'])
  const password =
    bindlePassword ?? nonEmpty(env['BINDLE_PASSWORD']) ?? nonEmpty(env['BINDLE_HTTP_PASSWORD'])
  if (username !== undefined && password !== undefined) return { username, password }
  if (username !== undefined || password !== undefined)
    throw new UsageError(
      `there is a ${username === undefined ? 'password without a user name' : 'user name without a password'} for the Bindle server; give --bindle-username and --bindle-password, or BINDLE_USERNAME and BINDLE_PASSWORD`,
    )
  return undefined
}

async function tokensOf({
  tokens: { path, isNamed },
}: BindleServer): Promise<BindleCredentials | undefined> {
  const bytes = await readFileBounded(path, MAX_TOKEN_FILE_BYTES)
  if (bytes === undefined) {
    if (isNamed) throw new CommandError(`there is no token file ${path}`)
    return undefined
  }
  return createOidcCredentials(parseTokenFile(bytes, path), (fresh) =>
    writeFileAtomic(path, formatTokenFile(fresh), 0o600),
  )
}

function namedTokenFile({ tokenFile }: BindleServerFlags, { env }: CliIo): string | undefined {
  return tokenFile ?? nonEmpty(env['BINDLE_TOKEN_FILE'])
}

/**
 * One file per server. The `bindle` command has a single one, and sends its tokens to any server.
 */
export function tokenFileOf(flags: BindleServerFlags, server: URL, io: CliIo): string {
  const named = namedTokenFile(flags, io)
  if (named !== undefined) return resolve(io.cwd, named)
  const name = `${server.protocol.slice(0, -1)}-${server.host.replace(/[^\w.-]/g, '_')}.toml`
  return join(bindleFolder(io), 'tokens', name)
}

/** The configuration folder of the `bindle` command and server. */
export function bindleFolder(io: CliIo): string {
  return join(configFolder(io), 'bindle')
}
