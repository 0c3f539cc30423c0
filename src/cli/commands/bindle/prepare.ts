import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { signInvoice } from '../../../bindle/signature.ts'
import {
  addBindleAppOptions,
  type BindleAppFlags,
  bindleAppOptions,
  loadBindle,
} from '../../app/bindle-app.ts'
import { addSignOptions, type SignFlags, signerOf, signingOptions } from '../../bindle/key-files.ts'
import type { CliIo } from '../../terminal/io.ts'
import { createOutput } from '../../terminal/output.ts'
import { writeStandalone } from '../../bindle/standalone-place.ts'
import { quoteArgument } from '../../terminal/text.ts'

interface PrepareFlags extends BindleAppFlags, SignFlags {
  readonly stagingDir: string
  readonly tarball?: boolean
  readonly json?: boolean
}

const EXAMPLE = `
Writes a folder named by the SHA-256 of the id, with invoice.toml and parcels/, or with --tarball a
.tar.gz file of it. "bindle push -p" accepts both. The bindle is signed only with --sign or --label.

Example:
  $ spindle bindle prepare --file spin.toml --staging-dir ./staging`

export function addPrepareCommand(bindle: Command, io: CliIo): void {
  const prepare = bindle
    .command('prepare')
    .description('package an application as a standalone bindle')
    .requiredOption('-d, --staging-dir <folder>', 'output folder')
    .option('--tarball', 'write one .tar.gz file instead of a folder')
  addSignOptions(addBindleAppOptions(prepare), 'do not sign')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLE)
    .action((flags: PrepareFlags) => runPrepare(flags, io))
}

async function runPrepare(flags: PrepareFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const signing = signingOptions(flags, io)
  const app = bindleAppOptions(flags, io)
  const signer = signing.sign === true ? await signerOf(signing) : undefined
  const made = await loadBindle(app, io, output)
  const invoice =
    signer === undefined
      ? made.invoice
      : await signInvoice(made.invoice, signer.key, { role: 'creator', by: signer.by })
  const bindle = { ...made, invoice }
  const directory = resolve(io.cwd, flags.stagingDir)
  const form = flags.tarball === true ? 'tarball' : 'folder'
  await writeStandalone(bindle, directory, form, { signal: io.signal })
  const place = await realpath(directory)
  output.line(`id:      ${bindle.id}`)
  output.line(`command: bindle push -p ${quoteArgument(place)} ${quoteArgument(String(bindle.id))}`)
  output.json({ id: String(bindle.id), directory: place })
}
