import type { Command } from 'commander'
import { formatInvoice } from '../../../bindle/invoice.ts'
import type { BindleId } from '../../../bindle/id.ts'
import { verifyInvoice } from '../../../bindle/signature.ts'
import { decodeUtf8Lossy } from '../../../bytes/text.ts'
import { addVerifyOptions, type VerifyFlags, verificationOf } from '../../bindle/key-files.ts'
import {
  addBindleServerOptions,
  bindleClient,
  bindleServer,
  type BindleServerFlags,
  idArgument,
} from '../../bindle/bindle-remote.ts'
import type { CliIo } from '../../terminal/io.ts'
import { createOutput } from '../../terminal/output.ts'

interface InfoFlags extends BindleServerFlags, VerifyFlags {
  readonly yanked?: boolean
}

const EXAMPLE = `
Prints the invoice as TOML, or with --json as JSON.

Example:
  $ spindle bindle info ann/hello/1.0.0`

export function addInfoCommand(bindle: Command, io: CliIo): void {
  const info = bindle
    .command('info')
    .description('show the invoice of a bindle')
    .argument('<id>', 'for example ann/hello/1.0.0', idArgument)
    .option('-y, --yanked', 'show the bindle even if it is yanked')
  addVerifyOptions(addBindleServerOptions(info))
    .addHelpText('after', EXAMPLE)
    .action((id: BindleId, flags: InfoFlags) => runInfo(id, flags, io))
}

async function runInfo(id: BindleId, flags: InfoFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const client = await bindleClient(bindleServer(flags, io), io, output)
  const verify = await verificationOf(flags, io)
  const invoice = await client.invoice(id, { signal: io.signal, yanked: flags.yanked ?? false })
  if (verify !== undefined) await verifyInvoice(invoice, verify.keyring, verify)
  output.document(decodeUtf8Lossy(formatInvoice(invoice)).trimEnd())
  output.json(invoice)
}
