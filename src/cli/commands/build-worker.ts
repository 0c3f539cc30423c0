import { resolve } from 'node:path'
import type { Command } from 'commander'
import { SpindleError } from '../../errors.ts'
import { openRunApp } from '../../run/app/open-run-app.ts'
import { isPulledApp } from '../../run/app/run-app.ts'
import { sizeOption } from '../terminal/arguments.ts'
import { findApp } from '../app/app-source.ts'
import type { CliIo } from '../terminal/io.ts'
import { addSizeOptions } from '../terminal/limit-flags.ts'
import { type OpenFlags, openApp } from '../app/open-app.ts'
import { createOutput } from '../terminal/output.ts'
import { addDownloadOptions } from '../registry/remote.ts'
import { addPolicyOptions } from '../sign/policy-flags.ts'
import { formatCount, formatSize } from '../terminal/text.ts'
import { assertVacant } from '../registry/write-folder.ts'

interface BuildWorkerFlags extends OpenFlags {
  /** Bytes. */
  readonly maxMemory?: number
  readonly output?: string
}

const EXAMPLE = `
Writes a complete Cloudflare Worker: code, the components' WebAssembly as modules, files, and
wrangler.jsonc. It needs no compatibility flag and no Worker Loader. Variables are read from the Worker's
SPIN_VARIABLE_NAME, key-value stores from KV namespaces bound as KEY_VALUE_LABEL. The source is like that
of "up --from".

Example:
  $ spindle build-worker ghcr.io/ann/hello:1.0.0 -o ./hello-worker
  $ cd hello-worker && npx wrangler deploy`

export function addBuildWorkerCommand(program: Command, io: CliIo): void {
  const command = program
    .command('build-worker')
    .description('build a Cloudflare Worker from an application, ready to deploy')
    .argument('<source>', 'manifest, folder, .wasm file, or reference')
    .option('-o, --output <folder>', 'new folder to write to (default: ./worker)')
    .option(
      '--max-memory <size>',
      'maximum memory per request, for example 32MiB (default: 64MiB; a Worker has 128MiB)',
      sizeOption,
    )
    .option('-k, --insecure', 'connect to the registry over plain HTTP')
  addDownloadOptions(command).option('--json', 'print the result as JSON')
  addPolicyOptions(addSizeOptions(command, 'the available memory'), '--verify-key')
    .addHelpText('after', EXAMPLE)
    .action((source: string, flags: BuildWorkerFlags) => buildWorker(source, flags, io))
}

async function buildWorker(source: string, flags: BuildWorkerFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const directory = resolve(io.cwd, flags.output ?? 'worker')
  // Checked before anything is fetched.
  await assertVacant(directory)
  const app = await openApp(await findApp(io.cwd, { from: source }), flags, io, output)
  const run = await openRunApp(app)
  if (run.triggers.length === 0)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'the application has no http trigger, so a Worker would serve no route',
    )
  // Imported here, because other commands do not need the engine.
  const { writeWorker } = await import('../up/write-worker.ts')
  const origin = { source, digest: isPulledApp(app) ? app.descriptor.digest : undefined }
  const written = await writeWorker(run, origin, directory, io.platform, {
    signal: io.signal,
    ...(flags.maxMemory !== undefined && { maxMemory: flags.maxMemory }),
  })
  output.line(
    `${formatCount(written.files, 'file')} (${formatSize(written.bytes)}) written to ${directory}`,
  )
  const { requiredVariables } = written
  if (requiredVariables.length > 0) output.note(`The Worker needs ${requiredVariables.join(', ')}.`)
  output.json({ directory, ...written })
}
