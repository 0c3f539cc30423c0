import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import { isSpindleError, ResponseError } from '../../../errors.ts'
import { discard } from '../../../http/response-body.ts'
import { formatBasic } from '../../../http/token.ts'
import { createTransport } from '../../../http/transport.ts'
import { apiHostOf } from '../../../oci/reference.ts'
import { createLoginFile } from '../../../node/credentials/login-file.ts'
import { registryArgument } from '../../terminal/arguments.ts'
import { CommandError, type CliIo, UsageError } from '../../terminal/io.ts'
import { createOutput } from '../../terminal/output.ts'
import { responseTimeoutOption, type ServerFlags, timeLimits } from '../../registry/remote.ts'
import { ask, readPasswordFromStdin } from '../../terminal/prompt.ts'

interface LoginFlags extends ServerFlags {
  readonly username?: string
  readonly password?: string
  readonly passwordStdin?: boolean
  readonly insecure?: boolean
}

const EXAMPLE = `
The login is tested before it is stored in Spin's login file, which only you can read. A registry that
allows anonymous access is also sent made-up credentials; the output says if it accepts those too. Other
users of this machine can see the value of --password; --password-stdin avoids that, and strips one
trailing newline.

Example:
  $ echo "$GITHUB_TOKEN" | spindle registry login ghcr.io -u ann --password-stdin`

const REDIRECTS = [301, 302, 303, 307, 308]

const REFUSED =
  'check the user name and the password; some registries need an access token as the password'

export function addLoginCommand(registry: Command, io: CliIo): void {
  registry
    .command('login')
    .description('log in to a registry')
    .argument(
      '<server>',
      'registry host, for example ghcr.io or localhost:5000; a prefix https:// or http:// sets the protocol',
      registryArgument,
    )
    .option('-u, --username <name>', 'user name (default: prompt)')
    .option('-p, --password <password>', 'password or token (default: prompt)')
    .option('--password-stdin', 'read the password from stdin')
    .option('-k, --insecure', 'connect to the registry over plain HTTP')
    .addOption(responseTimeoutOption())
    .addHelpText('after', EXAMPLE)
    .action((server: Server, flags: LoginFlags) => runLogin(server, flags, io))
}

type Server = ReturnType<typeof registryArgument>

async function runLogin(at: Server, flags: LoginFlags, io: CliIo): Promise<void> {
  const { registry: server } = at
  const login = await readLogin(flags, io)
  let isTried: boolean
  try {
    isTried = await tryLogin(at, login, flags, io)
  } catch (error) {
    io.signal.throwIfAborted()
    const said = `cannot authenticate as ${login.username} to registry ${server}: ${(error as Error).message}`
    const isRefused = isSpindleError(error) && error.code === 'ERR_UNAUTHORIZED'
    throw new CommandError('cannot log in to the registry', {
      cause: new CommandError(said, { cause: error }),
      ...(isRefused && { hint: REFUSED }),
    })
  }
  await createLoginFile(io).save(server, login)
  createOutput(io, {}).line(
    isTried
      ? `Successfully logged in as ${login.username} to registry ${server}`
      : `Stored the login of ${login.username} for registry ${server}. It was not tested: the registry allows anonymous access, and does not check logins`,
  )
}

interface Login {
  readonly username: string
  readonly password: string
}

async function readLogin(flags: LoginFlags, io: CliIo): Promise<Login> {
  if (flags.password !== undefined && flags.passwordStdin === true) {
    throw new UsageError('give --password or --password-stdin, not both')
  }
  if (flags.passwordStdin === true && flags.username === undefined) {
    throw new UsageError('--password-stdin needs --username: stdin has only the password')
  }
  const username = flags.username ?? (await ask(io, 'Username:', { hidden: false }))
  if (username === '' || username.includes(':')) {
    throw new UsageError('the user name must not be empty or contain a colon')
  }
  const typed = flags.passwordStdin === true ? await readPasswordFromStdin(io) : flags.password
  const password = typed ?? (await ask(io, 'Password:', { hidden: true }))
  if (password === '') throw new UsageError('the password is empty')
  return { username, password }
}

/**
 * Asks for `/v2/`, which every registry has and every login may see.
 * @returns Whether the registry has looked at the login: one that answers everybody may not have.
 * @throws for a login that is refused.
 */
async function tryLogin(
  { registry: server, scheme }: Server,
  credentials: Login,
  flags: LoginFlags,
  io: CliIo,
): Promise<boolean> {
  let isAsked = false
  const transport = createTransport({
    credentials: () => {
      isAsked = true
      return credentials
    },
    ...(io.fetch === undefined ? {} : { fetch: io.fetch }),
    ...(flags.insecure === true ? { insecure: [server] } : {}),
    timeout: timeLimits(flags).timeout,
  })
  const { signal } = io
  const host = apiHostOf(server)
  const url = `${await transport.protocol(host, { scheme, signal })}//${host}/v2/`
  let refusal: ResponseError | undefined
  try {
    discard(
      await transport.fetch({
        url,
        scope: { registry: server, repository: '', actions: [] },
        signal,
      }),
    )
  } catch (error) {
    if (isAsked || !(error instanceof ResponseError)) throw error
    // It does not say how to log in; a login may be taken all the same.
    refusal = error
  }
  if (isAsked) return true
  /** Whether it was taken, unasked; `false` too where it can't be sent, as to another origin. */
  const send = async (login: Login): Promise<boolean> => {
    const headers = { authorization: formatBasic(login) }
    const response = await transport.fetch({
      url,
      headers,
      expect: REDIRECTS,
      sameOrigin: true,
      signal,
    })
    discard(response)
    return response.ok
  }
  const isTaken = await send(credentials)
  if (refusal !== undefined && !isTaken) throw refusal
  if (refusal !== undefined || !isTaken) return isTaken
  // Taken like none at all: a login that nobody has tells whether it was looked at.
  const stranger = { username: `no-such-user-${randomUUID()}`, password: randomUUID() }
  return send(stranger).then(
    () => false,
    (error: unknown) => isSpindleError(error) && error.code === 'ERR_UNAUTHORIZED',
  )
}
