import type { Command } from 'commander'
import type { Reference } from '../../../types.ts'
import { referenceArgument } from '../../terminal/arguments.ts'
import type { CliIo } from '../../terminal/io.ts'
import type { RunFlags } from '../../up/run-app.ts'
import { addRunOptions } from '../../up/run-flags.ts'

const EXAMPLE = `
Same as "spindle up --from-registry". Content is cached, and verified whenever it is read.

Example:
  $ spindle registry run --verify-key cosign.pub ghcr.io/ann/hello:1.0.0`

export function addRunCommand(registry: Command, io: CliIo): void {
  const run = registry
    .command('run')
    .description('run an application from a registry')
    .argument('<reference>', 'for example ghcr.io/ann/hello:1.0.0 or …@sha256:…', referenceArgument)
  addRunOptions(run)
    .addHelpText('after', EXAMPLE)
    .action(async (reference: Reference, flags: RunFlags) => {
      // Imported here, because other commands do not need the engine.
      const { runApp } = await import('../../up/run-app.ts')
      await runApp({ kind: 'registry', reference }, flags, io)
    })
}
