import { resolve } from 'node:path'
import type { Command } from 'commander'
import { createRegistryHandler } from '../../../serve/registry/handler.ts'
import { createMemoryStorage } from '../../../serve/storage/memory.ts'
import { createFileStorage } from '../../file-storage.ts'
import { createNodeHasher } from '../../hasher.ts'
import { type Address, addressOption } from '../arguments.ts'
import type { CliIo } from '../io.ts'
import { createOutput } from '../output.ts'
import { isLocal, serveUntilStopped } from '../serve-until-stopped.ts'

interface ServeFlags {
  readonly address?: Address
  readonly directory?: string
  readonly readOnly?: boolean
  readonly json?: boolean
}

const DEFAULT_ADDRESS: Address = { host: '127.0.0.1', port: 8080 }

const EXAMPLE = `
It asks nobody for a password, so it listens on this machine only unless told otherwise. Without
--directory everything is kept in memory, and gone when it ends. Ctrl-C ends it.

Example:
  $ spindle serve --directory ./registry
  $ spindle registry push 127.0.0.1:8080/hello:1`

export function addServeCommand(program: Command, io: CliIo): void {
  program
    .command('serve')
    .description('run an OCI registry on this machine')
    .option(
      '--address <host:port>',
      'where to listen; port 0 is any free one (default: 127.0.0.1:8080)',
      addressOption,
    )
    .option('--directory <folder>', 'where to keep what is pushed (default: in memory)')
    .option('--read-only', 'refuse every push and deletion')
    .option('--json', 'answer with JSON on stdout: { url }')
    .addHelpText('after', EXAMPLE)
    .action((flags: ServeFlags) => runServe(flags, io))
}

async function runServe(flags: ServeFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const handler = createRegistryHandler({
    storage:
      flags.directory === undefined
        ? createMemoryStorage()
        : createFileStorage(resolve(io.cwd, flags.directory)),
    readOnly: flags.readOnly ?? false,
    createHasher: createNodeHasher,
    onError: (error) => output.warn(error instanceof Error ? error.message : String(error)),
  })
  const address = flags.address ?? DEFAULT_ADDRESS
  await serveUntilStopped(handler, address, io, (url) => {
    if (!isLocal(address) && flags.readOnly !== true) {
      output.warn(`whoever reaches ${url} may push and delete; it asks for no password`)
    }
    output.line(`Serving an OCI registry on ${url}`)
    output.json({ url })
  })
}
