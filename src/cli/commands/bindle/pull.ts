import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { BindleId } from '../../../bindle/id.ts'
import { openBindle } from '../../../bindle/open-bindle.ts'
import type { Invoice } from '../../../bindle/invoice.ts'
import { verifyInvoice } from '../../../bindle/signature.ts'
import { SpindleError } from '../../../errors.ts'
import { openContents } from '../../../spin/artifact/open-contents.ts'
import type { OperationOptions } from '../../../types.ts'
import { pullBindle } from '../../../verbs/pull-bindle.ts'
import { createNodeHasher } from '../../../node/files/hasher.ts'
import { addVerifyOptions, type VerifyFlags, verificationOf } from '../../bindle/key-files.ts'
import {
  addBindleServerOptions,
  bindleClient,
  bindleServer,
  type BindleServerFlags,
  idArgument,
} from '../../bindle/bindle-remote.ts'
import { withinDisk } from '../../terminal/disk-space.ts'
import { type CliIo, UsageError } from '../../terminal/io.ts'
import { addSizeOptions, refuseIdleFlags, type SizeFlags } from '../../terminal/limit-flags.ts'
import { createOutput } from '../../terminal/output.ts'
import { withProgress } from '../../terminal/progress.ts'
import { minRateOption } from '../../registry/remote.ts'
import { withScratchStore } from '../../registry/scratch-store.ts'
import { standaloneLimits, writeStandalone } from '../../bindle/standalone-place.ts'
import { formatCount, formatSize } from '../../terminal/text.ts'
import { writeApp } from '../../registry/write-app.ts'
import { assertVacant, type WrittenFolder } from '../../registry/write-folder.ts'

interface PullFlags extends BindleServerFlags, VerifyFlags, SizeFlags {
  readonly output?: string
  readonly export?: string
  readonly tarball?: boolean
}

const EXAMPLE = `
All content is verified against the digests in the invoice; --verify also verifies the signatures of the
invoice.

  --output ./hello    creates a folder like "spindle registry pull": each component as ID.wasm,
                      its files under assets/ID/
  --export ./staging  writes the bindle in the form of "bindle prepare"; any bindle, not only Spin's

Example:
  $ spindle bindle pull --output ./hello ann/hello/1.0.0`

export function addBindlePullCommand(bindle: Command, io: CliIo): void {
  const pull = bindle
    .command('pull')
    .description('pull an application from a Bindle server')
    .argument('<id>', 'for example ann/hello/1.0.0', idArgument)
    .option('-o, --output <folder>', 'write the application to a new folder')
    .option('-e, --export <folder>', 'write a standalone bindle to a folder')
    .option('--tarball', 'with --export: write one .tar.gz file instead of a folder')
    .addOption(minRateOption())
  addVerifyOptions(addBindleServerOptions(addSizeOptions(pull, 'the free space on disk')))
    .addHelpText('after', EXAMPLE)
    .action((id: BindleId, flags: PullFlags) => runPull(id, flags, io))
}

/** Where a bindle is written, and in which form. */
interface Target {
  readonly directory: string
  /** `app`: unpacked; the others are standalone bindles. */
  readonly form: 'app' | 'folder' | 'tarball'
}

function targetOf(flags: PullFlags, cwd: string): Target {
  if ((flags.output === undefined) === (flags.export === undefined))
    throw new UsageError(
      'give either --output FOLDER for the application, or --export FOLDER for a standalone bindle',
    )
  if (flags.export !== undefined)
    refuseIdleFlags(flags, ['maxFiles'], '--export, which unpacks nothing')
  return {
    directory: resolve(cwd, flags.output ?? flags.export ?? '.'),
    form: flags.output !== undefined ? 'app' : flags.tarball === true ? 'tarball' : 'folder',
  }
}

async function runPull(id: BindleId, flags: PullFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const { directory, form } = targetOf(flags, io.cwd)
  const { disk, maxFiles, maxKeys } = standaloneLimits(flags)
  const server = bindleServer(flags, io)
  // Checked before anything is fetched.
  if (form === 'app') await assertVacant(directory)
  const client = await bindleClient(server, io, output)
  const verify = await verificationOf(flags, io)
  const places = [{ folder: directory, option: 'output' as const }]
  let written: WrittenFolder | undefined
  await withProgress(io, 'Pulling', async (onProgress) => {
    const options: OperationOptions = {
      createHasher: createNodeHasher,
      signal: io.signal,
      onProgress,
    }
    if (form === 'app') {
      const app = await pullBindle(
        { client, id },
        {
          ...options,
          ...(verify === undefined ? {} : { verify }),
          ...(maxKeys === undefined ? {} : { maxKeys }),
        },
      )
      await withScratchStore(directory, io.platform, async (store) => {
        const contents = await withinDisk(disk, places, (maxBytes) =>
          openContents(app, store, { ...options, maxBytes, maxFiles }),
        )
        written = await writeApp(app, contents, directory, io.platform, options)
      })
      return
    }
    const bindle = await openBindle(client, id, options)
    if (verify !== undefined) await verifyInvoice(bindle.invoice, verify.keyring, verify)
    await withinDisk(disk, places, async (maxBytes) => assertParcelsFit(bindle.invoice, maxBytes))
    await writeStandalone(bindle, directory, form, options)
  })
  output.line(`pulled: ${id}`)
  if (written !== undefined)
    output.note(
      `${formatCount(written.files, 'file')} (${formatSize(written.bytes)}) written to ${directory}`,
    )
  output.json({ id: String(id), directory, ...written })
}

/** Refuses parcels that are more than a limit together, before any is fetched. */
function assertParcelsFit({ parcel = [] }: Invoice, maxBytes: number): void {
  const sizes = new Map(parcel.map(({ label }) => [label.sha256, label.size]))
  if ([...sizes.values()].reduce((sum, size) => sum + size, 0) <= maxBytes) return
  throw new SpindleError('ERR_LIMIT_EXCEEDED', `the bindle has more than ${maxBytes} bytes`, {
    remedy: { option: 'maxBytes', advice: 'raise % if you trust the source' },
  })
}
