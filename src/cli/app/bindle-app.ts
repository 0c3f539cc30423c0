import { type Command, InvalidArgumentError, Option } from 'commander'
import { isBuild } from '../../bindle/semver.ts'
import type { StandaloneBindle } from '../../bindle/standalone.ts'
import { appToBindle, type ToBindleOptions } from '../../spin/bindle/to-bindle.ts'
import { createNodeHasher } from '../../node/files/hasher.ts'
import { findManifest } from './find-manifest.ts'
import type { CliIo } from '../terminal/io.ts'
import { addSizeOptions } from '../terminal/limit-flags.ts'
import {
  loadLocalApp,
  type LocalAppOptions,
  localAppOptions,
  type LocalFlags,
} from './local-app.ts'
import type { Output } from '../terminal/output.ts'
import { withProgress } from '../terminal/progress.ts'

/** Flags of commands that make a bindle of an application, with Spin's names. */
export interface BindleAppFlags extends LocalFlags {
  readonly file?: string
  readonly from?: string
  readonly buildinfo?: string
}

export function addBindleAppOptions(command: Command): Command {
  command
    .option('-f, --file <path>', 'manifest, or a folder that contains spin.toml')
    .addOption(new Option('--from <path>', 'same as --file').hideHelp())
    .option(
      '--buildinfo <text>',
      'build metadata to append to the version: VERSION+TEXT',
      buildInfoOption,
    )
    .option('--build', "run the components' build commands first (env: SPIN_ALWAYS_BUILD)")
    .option('--profile <name>', 'build profile to apply')
    .option(
      '--cache-dir <folder>',
      "cache folder for downloaded components (default: Spin's cache)",
    )
  return addSizeOptions(command, 'the available memory')
}

function buildInfoOption(text: string): string {
  if (text === '' || !isBuild(text))
    throw new InvalidArgumentError('Write letters, digits and "-", joined by ".".')
  return text
}

/** How a bindle is made of an application. */
interface BindleAppOptions {
  /** The manifest or its folder; `undefined` to look for one. */
  readonly path: string | undefined
  readonly local: LocalAppOptions
  readonly bindle: Pick<ToBindleOptions, 'buildInfo'>
}

export function bindleAppOptions(flags: BindleAppFlags, io: CliIo): BindleAppOptions {
  const { file, from, buildinfo } = flags
  return {
    path: file ?? from,
    local: localAppOptions(flags, io),
    bindle: { ...(buildinfo !== undefined && { buildInfo: buildinfo }) },
  }
}

export async function loadBindle(
  { path, local, bindle }: BindleAppOptions,
  io: CliIo,
  output: Output,
): Promise<StandaloneBindle> {
  const place = await findManifest(io.cwd, path)
  const app = await loadLocalApp(place, local, io, output)
  output.warnOf(app.warnings)
  const { result } = await withProgress(io, 'Preparing', (onProgress) =>
    appToBindle(app, {
      createHasher: createNodeHasher,
      signal: io.signal,
      onProgress,
      ...bindle,
    }),
  )
  return result
}
