import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { assertFits } from '../../../spin/artifact/artifact-contents.ts'
import { openContents } from '../../../spin/artifact/open-contents.ts'
import type { PulledApp } from '../../../spin/artifact/pulled-app.ts'
import type { OperationOptions, Reference, Store } from '../../../types.ts'
import { openSource } from '../../../verbs/location.ts'
import { readImage } from '../../../spin/source/read-image.ts'
import { pull } from '../../../verbs/pull.ts'
import { createNodeHasher } from '../../../node/files/hasher.ts'
import { referenceArgument } from '../../terminal/arguments.ts'
import { openCache } from '../../app/cache.ts'
import { type DiskPlace, withinDisk } from '../../terminal/disk-space.ts'
import { type CliIo, UsageError } from '../../terminal/io.ts'
import { addSizeOptions, sizeLimits, type SizeFlags } from '../../terminal/limit-flags.ts'
import { createOutput } from '../../terminal/output.ts'
import { addPolicyOptions, type PolicyFlags } from '../../sign/policy-flags.ts'
import { withProgress } from '../../terminal/progress.ts'
import {
  addDownloadOptions,
  cacheRoot,
  type RemoteFlags,
  remoteOptions,
} from '../../registry/remote.ts'
import { withScratchStore } from '../../registry/scratch-store.ts'
import { formatCount, formatSize } from '../../terminal/text.ts'
import { readVerifier } from '../../sign/verifier.ts'
import { writeApp } from '../../registry/write-app.ts'
import { assertVacant, type WrittenFolder } from '../../registry/write-folder.ts'
import { assertLayout, writeLayout } from '../../registry/write-layout.ts'

interface PullFlags extends RemoteFlags, PolicyFlags, SizeFlags {
  readonly cacheDir?: string
  readonly output?: string
  readonly ociLayout?: string
}

const EXAMPLE = `
All content is verified against its digest, including content from the cache. Without --output or
--oci-layout the application is stored in the cache only, where Spin finds it too.

  --output ./hello          creates a folder with manifest.json, locked.json, each component as
                            ID.wasm and its files under assets/ID/; an existing folder must be empty
  --oci-layout ./layout     adds the application to an OCI image layout (skopeo: oci:./layout:TAG)
  --oci-layout ./hello.tar  creates a tar archive of a layout (skopeo: oci-archive:./hello.tar:TAG)

With a policy, no content is downloaded before the signatures are verified, and exactly the verified
digest is pulled.

Examples:
  $ spindle registry pull ghcr.io/ann/hello:1.0.0 -o ./hello
  $ spindle registry pull --verify-key cosign.pub ghcr.io/ann/hello:1.0.0`

export function addPullCommand(registry: Command, io: CliIo): void {
  const command = registry
    .command('pull')
    .description('pull an application from a registry')
    .argument('<reference>', 'for example ghcr.io/ann/hello:1.0.0 or …@sha256:…', referenceArgument)
    .option('-o, --output <folder>', 'write the application to a new folder')
    .option(
      '--oci-layout <path>',
      'write an OCI image layout: a folder, or a tar file if the name ends with .tar',
    )
    .option('-k, --insecure', 'connect to the registry over plain HTTP')
  addDownloadOptions(command).option('--json', 'print the result as JSON')
  addPolicyOptions(addSizeOptions(command, 'the free space on disk'), '--verify-key')
    .addHelpText('after', EXAMPLE)
    .action((reference: Reference, flags: PullFlags) => runPull(reference, flags, io))
}

/** Where an application is written beside the cache: at most one of them. */
interface Target {
  /** The folder that the application is unpacked to. */
  readonly directory: string | undefined
  /** The OCI image layout that it is added to. */
  readonly layout: string | undefined
}

function targetOf({ output, ociLayout, maxFiles }: PullFlags, cwd: string): Target {
  if (output !== undefined && ociLayout !== undefined)
    throw new UsageError('--output and --oci-layout exclude each other; give one of them')
  if (ociLayout !== undefined && maxFiles !== undefined)
    throw new UsageError(
      '--max-files has no effect on --oci-layout, which unpacks nothing: leave it out',
    )
  return {
    directory: output === undefined ? undefined : resolve(cwd, output),
    layout: ociLayout === undefined ? undefined : resolve(cwd, ociLayout),
  }
}

async function runPull(reference: Reference, flags: PullFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const { directory, layout } = targetOf(flags, io.cwd)
  const { memory, disk, maxFiles } = sizeLimits(flags)
  const root = cacheRoot(io, flags.cacheDir)
  const remote = remoteOptions(io, output, flags, [reference])
  const { concurrency } = remote
  // Checked before anything is fetched.
  const verify = await readVerifier(flags, io, output)
  if (directory !== undefined) await assertVacant(directory)
  if (layout !== undefined) await assertLayout(layout)

  output.line('Pulling app from the Registry.')
  let written: WrittenFolder | undefined
  const kept = await openCache(root, io, output)
  const scratch = directory ?? join(tmpdir(), 'spindle')
  const places: readonly DiskPlace[] = [
    ...(kept === undefined ? [] : [{ folder: root, option: 'cacheDir' } as const]),
    ...(kept === undefined || directory !== undefined
      ? [{ folder: scratch, option: 'output' } as const]
      : []),
  ]
  const pullWith = async (
    cache: Store,
    onProgress: OperationOptions['onProgress'],
  ): Promise<PulledApp> => {
    const operation: OperationOptions = { signal: io.signal, onProgress }
    const { store, ref } = openSource(reference, remote)
    const app = await pull(
      { store, ref },
      {
        ...remote,
        ...operation,
        cache,
        readImage,
        // For container images, which are unpacked in memory to find their application.
        maxBytes: memory,
        ...(maxFiles === undefined ? {} : { maxFiles }),
        ...(verify === undefined ? {} : { verify }),
      },
    )
    if (verify !== undefined) output.note(`Verified ${app.descriptor.digest}`)
    if (layout !== undefined) {
      const inMemory = layout.endsWith('.tar')
      if (inMemory) assertFits(app, memory)
      else
        await withinDisk(disk, [{ folder: layout, option: 'output' }], async (maxBytes) =>
          assertFits(app, maxBytes),
        )
      await writeLayout(app, layout, reference.tag ?? 'latest', {
        ...operation,
        ...(concurrency === undefined ? {} : { concurrency }),
      })
      return app
    }
    const contents = await withinDisk(disk, places, (maxBytes) =>
      openContents(app, cache, {
        ...operation,
        createHasher: createNodeHasher,
        origin: store,
        maxBytes,
        maxFiles,
        concurrency,
      }),
    )
    if (directory !== undefined)
      written = await writeApp(app, contents, directory, io.platform, operation)
    return app
  }
  const { result: app } = await withProgress(io, 'Pulling', (onProgress) =>
    kept === undefined
      ? withScratchStore(scratch, io.platform, (store) => pullWith(store, onProgress))
      : pullWith(kept, onProgress),
  )
  output.line('Successfully pulled the app from the registry')
  if (written !== undefined) {
    output.note(
      `${formatCount(written.files, 'file')} (${formatSize(written.bytes)}) written to ${directory}`,
    )
  }
  output.json({
    reference: `${reference.registry}/${reference.repository}@${app.descriptor.digest}`,
    descriptor: app.descriptor,
    ...(verify === undefined ? {} : { signatures: app.signatures }),
    ...(directory === undefined ? {} : { directory, ...written }),
    ...(layout === undefined ? {} : { ociLayout: layout }),
  })
}
