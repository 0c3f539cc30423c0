import type { Command } from 'commander'
import { createBindleClient } from '../../../bindle/client.ts'
import { formatTokenFile, loginBindle } from '../../../bindle/oidc.ts'
import { createTransport } from '../../../http/transport.ts'
import { writeFileAtomic } from '../../../node/files/bounded-file.ts'
import {
  addBindleServerOptions,
  type BindleServerFlags,
  serverOf,
  tokenFileOf,
} from '../../bindle/bindle-remote.ts'
import type { CliIo } from '../../terminal/io.ts'
import { createOutput } from '../../terminal/output.ts'

const EXAMPLE = `
For servers with an identity provider (OIDC): shows a URL and a code, and waits until you have entered the
code there. The tokens are stored for this server only, and renewed when they expire. A user name and a
password need no login: set BINDLE_USERNAME and BINDLE_PASSWORD.

Example:
  $ spindle bindle login --bindle-server https://bindle.example/v1`

export function addBindleLoginCommand(bindle: Command, io: CliIo): void {
  const login = bindle.command('login').description("log in with the server's identity provider")
  addBindleServerOptions(login)
    .addHelpText('after', EXAMPLE)
    .action((flags: BindleServerFlags) => runLogin(flags, io))
}

async function runLogin(flags: BindleServerFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const server = serverOf(flags, io)
  const transport = createTransport({
    ...(io.fetch === undefined ? {} : { fetch: io.fetch }),
    ...(flags.insecure === true ? { insecure: [server.host] } : {}),
  })
  const tokens = await loginBindle(createBindleClient(server, { transport }), {
    transport,
    signal: io.signal,
    onCode: ({ url, code, completeUrl }) =>
      output.note(`Open ${completeUrl ?? url} in your browser, and enter the code ${code}.`),
  })
  const path = tokenFileOf(flags, server, io)
  await writeFileAtomic(path, formatTokenFile(tokens), 0o600)
  output.line(`Login successful; tokens are in ${path}`)
  output.json({ server: server.href, tokenFile: path })
}
