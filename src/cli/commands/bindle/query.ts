import type { Command } from 'commander'
import { countOption } from '../../terminal/arguments.ts'
import {
  addBindleServerOptions,
  bindleClient,
  type BindleServerFlags,
} from '../../bindle/bindle-remote.ts'
import type { CliIo } from '../../terminal/io.ts'
import { createOutput } from '../../terminal/output.ts'

interface QueryFlags extends BindleServerFlags {
  readonly bindleVersion?: string
  readonly yanked?: boolean
  readonly limit?: number
}

const EXAMPLE = `
Words must be in the name; without any, all bindles are meant. A range is written as Rust's semver
has it: ^1.2, ">=1, <3"; a full version alone means itself.

Example:
  $ spindle bindle query hello --bindle-version ^1`

export function addQueryCommand(bindle: Command, io: CliIo): void {
  const query = bindle
    .command('query')
    .alias('search')
    .description('list the bindles of a server')
    .argument('[words...]', 'parts of the name')
    .option('-b, --bindle-version <range>', 'versions that are meant')
    .option('--yanked', 'yanked ones too')
    .option('--limit <count>', 'most to list (default: all)', countOption)
  addBindleServerOptions(query)
    .addHelpText('after', EXAMPLE)
    .action((words: string[], flags: QueryFlags) => runQuery(words, flags, io))
}

async function runQuery(words: string[], flags: QueryFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const client = await bindleClient(flags, io, output)
  const found: { readonly id: string; readonly yanked: boolean }[] = []
  const invoices = client.query(words.join(' '), {
    signal: io.signal,
    yanked: flags.yanked ?? false,
    ...(flags.bindleVersion === undefined ? {} : { version: flags.bindleVersion }),
    ...(flags.limit === undefined ? {} : { pageSize: Math.min(flags.limit, 50) }),
  })
  for await (const { bindle, yanked = false } of invoices) {
    const id = `${bindle.name}/${bindle.version}`
    found.push({ id, yanked })
    output.line(yanked ? `${id} (yanked)` : id)
    if (found.length === flags.limit) break
  }
  output.json({ server: client.server.href, bindles: found })
}
