import type { Command } from 'commander'
import { createLoginFile } from '../../../node/credentials/login-file.ts'
import { serverArgument } from '../../terminal/arguments.ts'
import { CommandError, type CliIo } from '../../terminal/io.ts'
import { createOutput } from '../../terminal/output.ts'

const EXAMPLE = `
Logins of Docker and podman are not changed: use "docker logout" or "podman logout" for those.

Example:
  $ spindle registry logout ghcr.io`

export function addLogoutCommand(registry: Command, io: CliIo): void {
  registry
    .command('logout')
    .description('remove the stored login of a registry')
    .argument('<server>', 'registry host, for example ghcr.io or localhost:5000', serverArgument)
    .addHelpText('after', EXAMPLE)
    .action(async (server: string) => {
      const file = createLoginFile(io)
      if (!(await file.remove(server)))
        throw new CommandError(`there is no login for ${server} in ${file.path}`)
      createOutput(io, {}).line(`Successfully logged out of registry ${server}`)
    })
}
