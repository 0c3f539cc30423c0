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
  let isTested: boolean
  try {
    isTested = await tryLogin(at, login, flags, io)
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
    isTested
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
 * Tests a login with a request for `/v2/`, which every registry has and every user can read.
 * @returns Whether the registry checked the login: one that allows anonymous access may not.
 * @throws if the login is refused.
 */
async function tryLogin(
  { registry: server, scheme }: Server,
  credentials: Login,
  flags: LoginFlags,
  io: CliIo,
): Promise<boolean> {
  let isChallenged = false
  const transport = createTransport({
    credentials: () => {
      isChallenged = true
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
    if (isChallenged || !(error instanceof ResponseError)) throw error
    // The response has no challenge; the registry may still accept a login.
    refusal = error
  }
  if (isChallenged) return true
  /** Sends a login without a challenge. Resolves with whether it was accepted; `false` after a redirect to another origin. */
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
  const isAccepted = await send(credentials)
  if (refusal !== undefined && !isAccepted) throw refusal
  if (refusal !== undefined || !isAccepted) return isAccepted
  // Accepted like an anonymous request: made-up credentials show whether logins are checked.
  const unknown = { username: `no-such-user-${randomUUID()}`, password: randomUUID() }
  return send(unknown).then(
    () => false,
    (error: unknown) => isSpindleError(error) && error.code === 'ERR_UNAUTHORIZED',
  )
}
