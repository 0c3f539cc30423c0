import type { Command } from 'commander'
import { isSpindleError } from '../../../errors.ts'
import { discard } from '../../../http/discard.ts'
import { createTransport } from '../../../http/transport.ts'
import { apiHostOf } from '../../../oci/reference.ts'
import { createLoginFile } from '../../login-file.ts'
import { serverArgument } from '../arguments.ts'
import { CommandError, type CliIo, UsageError } from '../io.ts'
import { createOutput } from '../output.ts'
import { responseTimeoutOption, type ServerFlags, timeLimits } from '../remote.ts'
import { ask, readPasswordFromStdin } from '../prompt.ts'

interface LoginFlags extends ServerFlags {
  readonly username?: string
  readonly password?: string
  readonly passwordStdin?: boolean
  readonly insecure?: boolean
}

const EXAMPLE = `
The login is tried before it is kept, in the file that Spin uses, which only you may read. What is
given with --password can be seen by others on the machine; --password-stdin can't, and takes one line
end away.

Example:
  $ echo "$GITHUB_TOKEN" | spindle registry login ghcr.io -u ann --password-stdin`

const REFUSED =
  'check the user name and the password; some registries take a token of theirs in its place'

export function addLoginCommand(registry: Command, io: CliIo): void {
  registry
    .command('login')
    .description('log in to a registry')
    .argument('<server>', 'its host, as in ghcr.io or localhost:5000', serverArgument)
    .option('-u, --username <name>', 'user name; asked for when left out')
    .option('-p, --password <password>', 'password or token; asked for when left out')
    .option('--password-stdin', 'take the password from stdin')
    .option('-k, --insecure', 'talk to the registry over plain http')
    .addOption(responseTimeoutOption())
    .addHelpText('after', EXAMPLE)
    .action((server: string, flags: LoginFlags) => runLogin(server, flags, io))
}

async function runLogin(server: string, flags: LoginFlags, io: CliIo): Promise<void> {
  const login = await readLogin(flags, io)
  try {
    await tryLogin(server, login, flags, io)
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
  createOutput(io, {}).line(`Successfully logged in as ${login.username} to registry ${server}`)
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
    throw new UsageError('a user name is not empty and has no colon')
  }
  const typed = flags.passwordStdin === true ? await readPasswordFromStdin(io) : flags.password
  const password = typed ?? (await ask(io, 'Password:', { hidden: true }))
  if (password === '') throw new UsageError('the password is empty')
  return { username, password }
}

/** Asks for what every registry has and every login may see. */
async function tryLogin(
  server: string,
  credentials: Login,
  flags: LoginFlags,
  io: CliIo,
): Promise<void> {
  const transport = createTransport({
    credentials,
    ...(io.fetch === undefined ? {} : { fetch: io.fetch }),
    timeout: timeLimits(flags).timeout,
    ...(flags.insecure === true ? { insecure: [server] } : {}),
  })
  const response = await transport.fetch({
    url: `${transport.protocol(server)}//${apiHostOf(server)}/v2/`,
    scope: { registry: server, repository: '', actions: [] },
    signal: io.signal,
  })
  discard(response)
}
