import type { Command } from 'commander'
import type { BindleId } from '../../../bindle/id.ts'
import {
  addBindleServerOptions,
  bindleClient,
  bindleServer,
  type BindleServerFlags,
  idArgument,
} from '../../bindle/bindle-remote.ts'
import type { CliIo } from '../../terminal/io.ts'
import { createOutput } from '../../terminal/output.ts'

const EXAMPLE = `
A yanked bindle is no longer listed, and its id cannot be used again. Existing copies are not affected.

Example:
  $ spindle bindle yank ann/hello/1.0.0`

export function addYankCommand(bindle: Command, io: CliIo): void {
  const yank = bindle
    .command('yank')
    .description('yank a bindle, which cannot be undone')
    .argument('<id>', 'for example ann/hello/1.0.0', idArgument)
  addBindleServerOptions(yank)
    .addHelpText('after', EXAMPLE)
    .action(async (id: BindleId, flags: BindleServerFlags) => {
      const output = createOutput(io, flags)
      await (
        await bindleClient(bindleServer(flags, io), io, output)
      ).yank(id, { signal: io.signal })
      output.line(`yanked: ${id}`)
      output.json({ id: String(id), yanked: true })
    })
}
