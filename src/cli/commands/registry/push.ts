import { type Command, Option } from 'commander'
import type { Reference } from '../../../types.ts'
import { push, type PushOptions } from '../../../verbs/push.ts'
import {
  pairOption,
  countOption,
  referenceArgument,
  sizeOption,
  timeOption,
} from '../../terminal/arguments.ts'
import { findManifest } from '../../app/find-manifest.ts'
import type { CliIo } from '../../terminal/io.ts'
import { loadLocalApp, localAppOptions, type LocalFlags } from '../../app/local-app.ts'
import { addSizeOptions } from '../../terminal/limit-flags.ts'
import { createOutput } from '../../terminal/output.ts'
import { describeTransfer, withProgress } from '../../terminal/progress.ts'
import { type RemoteFlags, remoteOptions, responseTimeoutOption } from '../../registry/remote.ts'

interface PushFlags extends RemoteFlags, LocalFlags {
  readonly from?: string
  readonly file?: string
  readonly compose?: 'true' | 'false'
  readonly annotation?: ReadonlyMap<string, string>
  readonly created?: Date
  readonly archive?: boolean
  readonly chunkSize?: number
}

const EXAMPLE = `
Without --from, the manifest is spin.toml in this folder or the nearest parent. The same files produce
the same digest on every machine, unless --created is given.

Example:
  $ spindle registry push --build --annotation org.opencontainers.image.source=https://github.com/ann/hello ghcr.io/ann/hello:1.0.0`

export function addPushCommand(registry: Command, io: CliIo): void {
  const command = registry
    .command('push')
    .description('package an application and push it to a registry')
    .argument('<reference>', 'destination, for example ghcr.io/ann/hello:1.0.0', referenceArgument)
    .option('-f, --from <path>', 'manifest, or a folder that contains spin.toml')
    .addOption(new Option('--file <path>', 'same as --from').hideHelp())
    .option('-k, --insecure', 'connect to the registry over plain HTTP')
    .addOption(responseTimeoutOption())
    .option('--build', "run the components' build commands first (env: SPIN_ALWAYS_BUILD)")
    .option('--profile <name>', 'build profile to apply')
    .addOption(
      new Option(
        '--compose <boolean>',
        'compose each component with its dependencies; false: push the dependencies separately, for hosts that compose (default: true)',
      ).choices(['true', 'false']),
    )
    .option('--annotation <key=value>', 'manifest annotation; repeatable', pairOption)
    .option(
      '--cache-dir <folder>',
      "cache folder for downloaded components (default: Spin's cache)",
    )
    .option(
      '--created <time>',
      'creation time to record in the manifest (default: none)',
      timeOption,
    )
    .option(
      '--archive',
      'pack the files of each component into one archive (default: one layer per file)',
    )
    .option(
      '--chunk-size <bytes>',
      'upload blobs in chunks of this size (default: whole blobs)',
      sizeOption,
    )
    .option('--concurrency <count>', 'maximum concurrent blob transfers (default: 8)', countOption)
    .option('--json', 'print the result as JSON')
  addSizeOptions(command, 'no limit; for one component, the available memory')
    .addHelpText('after', EXAMPLE)
    .action((reference: Reference, flags: PushFlags) => runPush(reference, flags, io))
}

async function runPush(reference: Reference, flags: PushFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const local = localAppOptions(flags, io)
  const remote = remoteOptions(io, output, flags, [reference])
  const packing = packingOptions(flags)
  const place = await findManifest(io.cwd, flags.from ?? flags.file)
  const app = await loadLocalApp(place, local, io, output)
  output.warnOf(app.warnings)
  output.line('Pushing app to the Registry.')
  const { result, summary } = await withProgress(io, 'Pushing', (onProgress) =>
    push(app, reference, { ...remote, ...packing, onProgress }),
  )
  output.note(describeTransfer(summary))
  output.line(`Pushed with digest ${result.descriptor.digest}`)
  output.json({
    reference: result.reference,
    ...(reference.tag === undefined ? {} : { tag: reference.tag }),
    descriptor: result.descriptor,
    ...summary,
  })
}

/** How the application is packed and uploaded. */
function packingOptions({
  annotation,
  archive,
  chunkSize,
  compose,
  created,
}: PushFlags): PushOptions {
  return {
    uncomposed: compose === 'false',
    ...(annotation !== undefined && { annotations: Object.fromEntries(annotation) }),
    ...(archive !== undefined && { archive }),
    ...(chunkSize !== undefined && { chunkSize }),
    ...(created !== undefined && { created }),
  }
}
