import type { Command } from 'commander'
import { createRepository } from '../../../registry/repository.ts'
import type { Reference } from '../../../types.ts'
import { referenceArgument } from '../../terminal/arguments.ts'
import type { CliIo } from '../../terminal/io.ts'
import { createOutput } from '../../terminal/output.ts'
import { type RemoteFlags, remoteOptions, responseTimeoutOption } from '../../registry/remote.ts'

const EXAMPLE = `
Example:
  $ spindle registry tags ghcr.io/ann/hello`

export function addTagsCommand(registry: Command, io: CliIo): void {
  registry
    .command('tags')
    .description('list the tags of a repository')
    .argument('<repository>', 'for example ghcr.io/ann/hello', referenceArgument)
    .option('-k, --insecure', 'connect to the registry over plain HTTP')
    .addOption(responseTimeoutOption())
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLE)
    .action(async (reference: Reference, flags: RemoteFlags) => {
      const output = createOutput(io, flags)
      const repository = createRepository(reference, remoteOptions(io, output, flags, [reference]))
      const tags: string[] = []
      for await (const tag of repository.tags({ signal: io.signal })) {
        tags.push(tag)
        output.line(tag)
      }
      output.json({ repository: `${reference.registry}/${reference.repository}`, tags })
    })
}
