import { type Command, Option } from 'commander'
import { findApp, type SourceFlags } from '../app/app-source.ts'
import { referenceArgument } from '../terminal/arguments.ts'
import { idArgument } from '../bindle/bindle-remote.ts'
import type { CliIo } from '../terminal/io.ts'
import type { RunFlags } from '../up/run-app.ts'
import { addRunOptions } from '../up/run-flags.ts'

const EXAMPLE = `
The source is a manifest or its folder, a .wasm file, or a reference; the default is spin.toml in this
folder or the nearest parent. A local application is reloaded when its files change. Required variables
come from --variable, SPIN_VARIABLE_NAME, or .env next to a local manifest. With a policy, exactly the
verified digest is run. Press Ctrl-C to stop.

Example:
  $ spindle up --from ghcr.io/ann/hello:1.0.0 --verify-key cosign.pub --variable greeting=Hi`

export function addUpCommand(program: Command, io: CliIo): void {
  const up = program
    .command('up')
    .description('run an application')
    .option('-f, --from <source>', 'manifest, folder, .wasm file, or reference')
    .addOption(new Option('--file <source>', 'same as --from').hideHelp())
    .option('--from-file <path>', 'like --from, but always a local path')
    .option('--from-registry <reference>', 'like --from, but always a reference', referenceArgument)
    .option('-b, --bindle <id>', 'bindle id, for example ann/hello/1.0.0', idArgument)
    .option('--bindle-server <url>', 'Bindle server (default: BINDLE_URL)')
    .option('--build', "run the components' build commands first (env: SPIN_ALWAYS_BUILD)")
    .option('--profile <name>', 'build profile to apply')
  addRunOptions(up)
    .addHelpText('after', EXAMPLE)
    .action(async (flags: RunFlags & SourceFlags) => {
      const place = await findApp(io.cwd, flags)
      // Imported here, because other commands do not need the engine.
      const { runApp } = await import('../up/run-app.ts')
      await runApp(place, flags, io)
    })
}
