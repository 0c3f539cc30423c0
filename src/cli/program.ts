import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addBuildWorkerCommand } from './commands/build-worker.ts'
import { addGenerateKeyPairCommand } from './commands/generate-key-pair.ts'
import { addBindleCommand } from './commands/bindle.ts'
import { addBindleServerCommand } from './commands/bindle-server.ts'
import { addRegistryCommand } from './commands/registry.ts'
import { addServeCommand } from './commands/serve.ts'
import { addSignCommand } from './commands/sign.ts'
import { addUpCommand } from './commands/up.ts'
import { addVerifyCommand } from './commands/verify.ts'
import { reportFailure } from './terminal/failure.ts'
import { type CliIo, hasColor } from './terminal/io.ts'
import { spellSwitches } from './terminal/switch-option.ts'
import { printable, widthOf, wrapProse } from './terminal/text.ts'

const EXAMPLES = `
Examples:
  $ spindle registry login ghcr.io -u ann
  $ spindle registry push ghcr.io/ann/hello:1.0.0
  $ spindle registry pull ghcr.io/ann/hello:1.0.0 -o ./hello
  $ spindle up --from ghcr.io/ann/hello:1.0.0
  $ spindle sign --key cosign.key ghcr.io/ann/hello:1.0.0
  $ spindle verify --key cosign.pub ghcr.io/ann/hello:1.0.0
  $ spindle serve --address 127.0.0.1:8080

Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted by Ctrl-C.`

/** Runs one command line; resolves with its exit code, never rejects. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  let command: Command | undefined
  try {
    const program = createProgram(io).hook('preAction', (_, action) => void (command = action))
    await program.parseAsync(spellSwitches(args, program), { from: 'user' })
    return 0
  } catch (error) {
    return reportFailure(error, io, command)
  }
}

export function createProgram(io: CliIo): Command {
  const program = new Command('spindle')
    .description(
      'Package, push, pull, sign, verify and run Spin (WebAssembly) applications with OCI registries and Bindle servers.',
    )
    .version(readVersion(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(wrapProse(text, widthOf(io.stdout))),
      writeErr: (text) => void io.stderr.write(wrapProse(text, widthOf(io.stderr))),
      getOutHelpWidth: () => widthOf(io.stdout),
      getErrHelpWidth: () => widthOf(io.stderr),
      outputError: (text) => void io.stderr.write(printable(rewordUsageError(text))),
      getOutHasColors: () => hasColor(io.stdout, io.env),
      getErrHasColors: () => hasColor(io.stderr, io.env),
    })
  addRegistryCommand(program, io)
  addBindleCommand(program, io)
  addServeCommand(program, io)
  addBindleServerCommand(program, io)
  addUpCommand(program, io)
  addBuildWorkerCommand(program, io)
  addSignCommand(program, io)
  addVerifyCommand(program, io)
  addGenerateKeyPairCommand(program, io)
  addHelpHint(program, program.name())
  return program
}

/** Adds the command that shows the help to usage errors. */
function addHelpHint(command: Command, path: string): void {
  command.showHelpAfterError(`Run "${path} --help" for usage.`)
  for (const below of command.commands) addHelpHint(below, `${path} ${below.name()}`)
}

/** Rewords commander's error for arguments: without "command-argument", and without repeating the value. */
function rewordUsageError(text: string): string {
  return text.replace(
    /^error: command-argument value '(.*)' is invalid for argument '(.*?)'\. ("\1" is not )?/s,
    (_, value: string, name: string, own?: string) =>
      own === undefined
        ? `error: "${value}" is not a valid <${name}>. `
        : `error: "${value}" is not `,
  )
}

/** The package version, from the nearest `package.json` above this file. */
function readVersion(): string {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    try {
      const manifest = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as {
        name?: string
        version?: string
      }
      if (manifest.name === 'spindle' && manifest.version !== undefined) return manifest.version
    } catch {
      // Not in this folder: try the parent.
    }
    if (folder.href === new URL('..', folder).href) return 'unknown'
  }
}
