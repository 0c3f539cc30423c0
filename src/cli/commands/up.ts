import { type Command, Option } from 'commander'
import { findApp, type SourceFlags } from '../app/app-source.ts'
import { referenceArgument } from '../terminal/arguments.ts'
import { idArgument } from '../bindle/bindle-remote.ts'
import type { CliIo } from '../terminal/io.ts'
import type { RunFlags } from '../up/run-app.ts'
import { addRunOptions } from '../up/run-flags.ts'

const EXAMPLE = `
The source is a manifest or its folder, a .wasm file, or a reference; without one it is spin.toml in this
folder or the closest one above. A local application is started anew when its files change. Required
variables come from --variable, SPIN_VARIABLE_NAME, or .env beside a local manifest. With a policy what
runs is the very digest that was verified. Ctrl-C ends it.

Example:
  $ spindle up --from ghcr.io/ann/hello:1.0.0 --verify-key cosign.pub --variable greeting=Hi`

export function addUpCommand(program: Command, io: CliIo): void {
  const up = program
    .command('up')
    .description('run an application on this machine')
    .option(
      '-f, --from <source>',
      'the application: a manifest or folder, .wasm file, or reference',
    )
    .addOption(new Option('--file <source>', 'the same as --from').hideHelp())
    .option('--from-file <path>', 'as --from, and surely a file or folder')
    .option('--from-registry <reference>', 'as --from, and surely a reference', referenceArgument)
    .option('-b, --bindle <id>', 'a bindle, as in ann/hello/1.0.0', idArgument)
    .option('--bindle-server <url>', 'the Bindle server (default: BINDLE_URL)')
    .option('--build', "run the components' build commands first; SPIN_ALWAYS_BUILD does the same")
    .option('--profile <name>', 'build profile to apply')
  addRunOptions(up)
    .addHelpText('after', EXAMPLE)
    .action(async (flags: RunFlags & SourceFlags) => {
      const place = await findApp(io.cwd, flags)
      // An engine for components, which other commands need not wait for.
      const { runApp } = await import('../up/run-app.ts')
      await runApp(place, flags, io)
    })
}
