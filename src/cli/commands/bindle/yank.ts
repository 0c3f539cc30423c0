import type { Command } from 'commander'
import type { BindleId } from '../../../bindle/id.ts'
import {
  addBindleServerOptions,
  bindleClient,
  type BindleServerFlags,
  idArgument,
} from '../../bindle/bindle-remote.ts'
import type { CliIo } from '../../terminal/io.ts'
import { createOutput } from '../../terminal/output.ts'

const EXAMPLE = `
It can't be undone, and the id can't be used again. What others pulled before stays theirs.

Example:
  $ spindle bindle yank ann/hello/1.0.0`

export function addYankCommand(bindle: Command, io: CliIo): void {
  const yank = bindle
    .command('yank')
    .description('hide a bindle for good')
    .argument('<id>', 'which, as in ann/hello/1.0.0', idArgument)
  addBindleServerOptions(yank)
    .addHelpText('after', EXAMPLE)
    .action(async (id: BindleId, flags: BindleServerFlags) => {
      const output = createOutput(io, flags)
      await (await bindleClient(flags, io, output)).yank(id, { signal: io.signal })
      output.line(`yanked: ${id}`)
      output.json({ id: String(id), yanked: true })
    })
}
