import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { BindleClient } from '../../../bindle/client.ts'
import type { BindleId } from '../../../bindle/id.ts'
import { pushStandalone } from '../../../bindle/push-standalone.ts'
import { signInvoice } from '../../../bindle/signature.ts'
import type { StandaloneBindle } from '../../../bindle/standalone.ts'
import { isSpindleError } from '../../../errors.ts'
import { createNodeHasher } from '../../../node/files/hasher.ts'
import { countOption } from '../../terminal/arguments.ts'
import {
  addBindleAppOptions,
  type BindleAppFlags,
  bindleAppOptions,
  loadBindle,
} from '../../app/bindle-app.ts'
import {
  addSignOptions,
  type SignFlags,
  signerOf,
  type SigningOptions,
  signingOptions,
} from '../../bindle/key-files.ts'
import {
  addBindleServerOptions,
  bindleClient,
  bindleServer,
  type BindleServerFlags,
  idArgument,
} from '../../bindle/bindle-remote.ts'
import { CommandError, type CliIo, UsageError } from '../../terminal/io.ts'
import { refuseIdleFlags, type SizeFlags } from '../../terminal/limit-flags.ts'
import { createOutput } from '../../terminal/output.ts'
import { describeTransfer, withProgress } from '../../terminal/progress.ts'
import { openStandalone, standaloneLimits, writeStandalone } from '../../bindle/standalone-place.ts'

interface PushFlags extends BindleServerFlags, BindleAppFlags, SignFlags, SizeFlags {
  readonly path?: string
  readonly stagingDir?: string
  readonly concurrency?: number
}

const EXAMPLE = `
Without --file, the manifest is spin.toml in this folder or the nearest parent. An interrupted push is
resumed by the next one. Bindles are immutable: a change needs another version, or --buildinfo. With an
ID, a standalone bindle from "bindle prepare" is pushed.

Example:
  $ spindle bindle push --file spin.toml --bindle-server http://127.0.0.1:8000/v1
  $ spindle bindle push -p ./staging hello/1.0.0`

export function addBindlePushCommand(bindle: Command, io: CliIo): void {
  const push = bindle
    .command('push')
    .description('package an application as a bindle and push it to a server')
    .argument('[id]', 'id of a standalone bindle, for example hello/1.0.0', idArgument)
  addBindleAppOptions(push)
    .option('-p, --path <folder>', 'folder of the standalone bindle (default: this folder)')
    .option('-d, --staging-dir <folder>', 'also write the standalone bindle to this folder')
  addSignOptions(
    addBindleServerOptions(push),
    'if the server is version 0.9 or newer and you have a key',
  )
    .option(
      '--concurrency <count>',
      'maximum concurrent parcel transfers (default: 6)',
      countOption,
    )
    .addHelpText('after', EXAMPLE)
    .action((id: BindleId | undefined, flags: PushFlags) => runPush(id, flags, io))
}

async function runPush(id: BindleId | undefined, flags: PushFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  if (id === undefined && flags.path !== undefined)
    throw new UsageError('--path needs the ID of a standalone bindle, for example hello/1.0.0')
  if (id !== undefined && (flags.file ?? flags.from) !== undefined)
    throw new UsageError(
      'give the ID of a standalone bindle, or an application with --file, not both',
    )
  if (id !== undefined)
    refuseIdleFlags(flags, ['build', 'buildinfo', 'cacheDir', 'profile'], 'a standalone bindle')
  const app = bindleAppOptions(flags, io)
  const limits = standaloneLimits(flags)
  const signing = signingOptions(flags, io)
  const server = bindleServer(flags, io)
  const { folder, staging, transfer } = placesOf(flags, io)
  const client = await bindleClient(server, io, output)
  const made =
    id === undefined
      ? await loadBindle(app, io, output)
      : await openStandalone(folder, id, limits, io)
  const bindle = await signIfNeeded(made, client, signing, io.signal)
  if (staging !== undefined) await writeStandalone(bindle, staging, 'folder', io)
  const { summary } = await withProgress(io, 'Pushing', (onProgress) =>
    pushStandalone(client, bindle, {
      createHasher: createNodeHasher,
      signal: io.signal,
      onProgress,
      ...transfer,
    }).catch((error: unknown) => {
      throw bindle.invoice.signature === undefined ? withAdvice(error) : error
    }),
  )
  output.note(describeTransfer(summary))
  output.line(`pushed: ${bindle.id}`)
  output.json({ id: String(bindle.id), server: client.server.href, ...summary })
}

/** The folders of standalone bindles, and how parcels are sent. */
function placesOf({ path = '.', stagingDir, concurrency }: PushFlags, io: CliIo): PushPlaces {
  return {
    folder: path,
    staging: stagingDir === undefined ? undefined : resolve(io.cwd, stagingDir),
    transfer: { ...(concurrency !== undefined && { concurrency }) },
  }
}

interface PushPlaces {
  readonly folder: string
  readonly staging: string | undefined
  readonly transfer: { readonly concurrency?: number }
}

/** Adds advice to the message of the reference server for unsigned bindles. */
function withAdvice(error: unknown): unknown {
  if (!isSpindleError(error) || !error.message.includes('No signatures found')) return error
  return new CommandError(
    'this server accepts only signed bindles: generate a key with "spindle bindle keys create", send the output of "spindle bindle keys print" to its operator, and push again',
    { cause: error },
  )
}

/** Servers since 0.9 require a signature; older ones refuse a signature by an unknown key. */
async function signIfNeeded(
  bindle: StandaloneBindle,
  client: BindleClient,
  signing: SigningOptions,
  signal: AbortSignal,
): Promise<StandaloneBindle> {
  if (signing.sign === false) return bindle
  const hasOwn = (bindle.invoice.signature?.length ?? 0) > 0
  if (signing.sign === undefined) {
    if (hasOwn || (await client.generation({ signal })) === '0.8') return bindle
  }
  const signer = await signerOf(signing)
  if (signer === undefined) return bindle
  return {
    ...bindle,
    invoice: await signInvoice(bindle.invoice, signer.key, { role: 'creator', by: signer.by }),
  }
}
