import type { Command } from 'commander'
import { countOption } from '../../terminal/arguments.ts'
import {
  addBindleServerOptions,
  bindleClient,
  bindleServer,
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
Without words, all bindles are listed. Ranges use the syntax of Rust's semver: ^1.2, ">=1, <3"; a full
version matches only itself.

Example:
  $ spindle bindle query hello --bindle-version ^1`

export function addQueryCommand(bindle: Command, io: CliIo): void {
  const query = bindle
    .command('query')
    .alias('search')
    .description('list the bindles on a server')
    .argument('[words...]', 'words that the name must contain')
    .option('-b, --bindle-version <range>', 'list only versions in this range')
    .option('--yanked', 'include yanked bindles')
    .option('--limit <count>', 'maximum results (default: all)', countOption)
  addBindleServerOptions(query)
    .addHelpText('after', EXAMPLE)
    .action((words: string[], flags: QueryFlags) => runQuery(words, flags, io))
}

async function runQuery(words: string[], flags: QueryFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const client = await bindleClient(bindleServer(flags, io), io, output)
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
