import { type Command, InvalidArgumentError } from 'commander'
import { type BindleId, parseBindleId } from '../../../bindle/id.ts'
import type { Reference } from '../../../types.ts'
import { formatAddress, parseReference } from '../../../oci/reference.ts'
import {
  migrateBindle,
  type MigrateBindleOptions,
  type MigrateBindleResult,
  migrateBindles,
} from '../../../verbs/migrate-bindle.ts'
import { pairOption, countOption } from '../../terminal/arguments.ts'
import { addVerifyOptions, type VerifyFlags, verificationOf } from '../../bindle/key-files.ts'
import {
  addBindleServerOptions,
  bindleClient,
  bindleServer,
  type BindleServerFlags,
} from '../../bindle/bindle-remote.ts'
import { type CliIo, UsageError } from '../../terminal/io.ts'
import { addSizeOptions, type SizeFlags } from '../../terminal/limit-flags.ts'
import { createOutput, type Output } from '../../terminal/output.ts'
import { withProgress } from '../../terminal/progress.ts'
import { minRateOption, remoteOptions } from '../../registry/remote.ts'
import { openStandalone, standaloneLimits } from '../../bindle/standalone-place.ts'

interface MigrateFlags extends BindleServerFlags, VerifyFlags, SizeFlags {
  readonly path?: string
  readonly all?: boolean
  readonly dryRun?: boolean
  readonly annotation?: ReadonlyMap<string, string>
  readonly concurrency?: number
}

const EXAMPLE = `
Name, version, description, authors and signers become annotations. If the reference has no tag, the
version is used, with "_" in place of "+". A second run skips what was already copied. With --all, the
first argument is a NAME, and each version gets its own tag. -k applies to the registry too.

Example:
  $ spindle bindle migrate --all --dry-run ann/hello ghcr.io/ann/hello
  $ spindle bindle migrate --path ./staging ann/hello/1.0.0 ghcr.io/ann/hello:1.0.0`

export function addMigrateCommand(bindle: Command, io: CliIo): void {
  const migrate = bindle
    .command('migrate')
    .description('copy an application from a Bindle server to an OCI registry')
    .argument('<id>', 'for example ann/hello/1.0.0; with --all a name, for example ann/hello')
    .argument('<reference>', 'destination, for example ghcr.io/ann/hello', destinationArgument)
    .option('--all', 'migrate every version of the name, oldest first')
    .option('--dry-run', 'print what would be written, without writing')
    .option('-p, --path <path>', 'standalone bindle: its folder, the parent folder, or its tarball')
    .option('--annotation <key=value>', 'manifest annotation; repeatable', pairOption)
    .option('--concurrency <count>', 'maximum concurrent blob transfers (default: 8)', countOption)
    .addOption(minRateOption())
  addVerifyOptions(addBindleServerOptions(addSizeOptions(migrate, 'the available memory')))
    .addHelpText('after', EXAMPLE)
    .action((id: string, to: Reference, flags: MigrateFlags) => runMigrate(id, to, flags, io))
}

/** Parses a reference without a default tag: the version becomes the tag. */
function destinationArgument(text: string): Reference {
  try {
    return parseReference(text, { defaultRegistry: 'docker.io' })
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

async function runMigrate(
  id: string,
  to: Reference,
  flags: MigrateFlags,
  io: CliIo,
): Promise<void> {
  const output = createOutput(io, flags)
  if (to.digest !== undefined)
    throw new UsageError('the destination cannot have a digest: give a tag, or none')
  if (flags.all === true && (to.tag !== undefined || flags.path !== undefined))
    throw new UsageError(
      '--all copies every version from a server to its own tag: leave out the tag and --path',
    )
  if (flags.path === undefined && (flags.maxSize ?? flags.maxFiles) !== undefined)
    throw new UsageError(
      '--max-size and --max-files apply only to a standalone bindle: give --path',
    )
  const verify = await verificationOf(flags, io)
  const moved: object[] = []
  const move = async (
    run: (options: MigrateBindleOptions) => AsyncGenerator<MigrateBindleResult>,
  ): Promise<void> => {
    await withProgress(io, 'Migrating', async (onProgress) => {
      const options: MigrateBindleOptions = {
        ...remoteOptions(io, output, flags, [to]),
        onProgress,
        dryRun: flags.dryRun ?? false,
        ...(verify === undefined ? {} : { verify }),
        ...(flags.annotation === undefined
          ? {}
          : { annotations: Object.fromEntries(flags.annotation) }),
      }
      for await (const result of run(options)) moved.push(report(result, output))
    })
  }
  if (flags.all === true) {
    const client = await bindleClient(bindleServer(flags, io), io, output)
    await move((options) => migrateBindles({ client, name: id }, formatAddress(to), options))
    if (moved.length === 0) output.warn(`${client.server.href} has no bindle named ${id}`)
  } else {
    const source = await sourceOf(parseId(id), flags, io, output)
    await move(async function* (options) {
      yield await migrateBindle(source, to.tag === undefined ? formatAddress(to) : to, options)
    })
  }
  output.json({ migrated: moved })
}

function parseId(text: string): BindleId {
  try {
    return parseBindleId(text)
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; use --all for every version of a name`)
  }
}

async function sourceOf(
  id: BindleId,
  flags: MigrateFlags,
  io: CliIo,
  output: Output,
): Promise<Parameters<typeof migrateBindle>[0]> {
  if (flags.path !== undefined) return openStandalone(flags.path, id, standaloneLimits(flags), io)
  return { client: await bindleClient(bindleServer(flags, io), io, output), id }
}

const WORDS = { migrated: 'migrated', exists: 'already there', planned: 'would write' } as const

function report(
  { id, reference, tag, descriptor, status }: MigrateBindleResult,
  output: Output,
): object {
  output.line(`${WORDS[status]}: ${id} -> ${reference}${tag === undefined ? '' : ` (${tag})`}`)
  return { id: String(id), reference, tag, digest: descriptor.digest, status }
}
