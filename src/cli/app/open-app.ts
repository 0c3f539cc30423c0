import type { App } from '../../spin/source/app.ts'
import type { PulledApp } from '../../spin/artifact/pulled-app.ts'
import { assertFits } from '../../spin/artifact/artifact-contents.ts'
import { readImage } from '../../spin/source/read-image.ts'
import { pull } from '../../verbs/pull.ts'
import { pullBindle } from '../../verbs/pull-bindle.ts'
import { createNodeHasher } from '../../node/files/hasher.ts'
import { type AppPlace, loadWasmApp } from './app-source.ts'
import { bindleClient, bindleServer, type BindleServerFlags } from '../bindle/bindle-remote.ts'
import { openOptionalCache } from './cache.ts'
import { type CliIo, UsageError } from '../terminal/io.ts'
import { sizeLimits, refuseIdleFlags, type SizeFlags } from '../terminal/limit-flags.ts'
import { loadLocalApp, localAppOptions, type LocalFlags } from './local-app.ts'
import type { Output } from '../terminal/output.ts'
import type { PolicyFlags } from '../sign/policy-flags.ts'
import { withProgress } from '../terminal/progress.ts'
import { cacheRoot, type RemoteFlags, remoteOptions } from '../registry/remote.ts'
import { readVerifier } from '../sign/verifier.ts'

/** Flags of commands that open an application from any source. */
export interface OpenFlags
  extends RemoteFlags, LocalFlags, PolicyFlags, BindleServerFlags, SizeFlags {}

/** The name of each kind of source, and the flags that have no effect on it. */
const IDLE: Readonly<Record<AppPlace['kind'], readonly [string, readonly (keyof OpenFlags)[]]>> = {
  folder: ['a local application', ['concurrency', 'maxKeys', 'minRate']],
  wasm: [
    'a .wasm file',
    [
      'build',
      'cacheDir',
      'concurrency',
      'maxFiles',
      'maxKeys',
      'minRate',
      'profile',
      'responseTimeout',
    ],
  ],
  registry: ['an artifact from a registry', ['build', 'profile']],
  bindle: ['a bindle', ['build', 'cacheDir', 'concurrency', 'profile']],
}

/** Loads or pulls an application, and verifies it if there is a policy. */
export async function openApp(
  place: AppPlace,
  flags: OpenFlags,
  io: CliIo,
  output: Output,
): Promise<App | PulledApp> {
  const [what, idle] = IDLE[place.kind]
  refuseIdleFlags(flags, idle, what)
  const verify = await readVerifier(flags, io, output)
  if (verify !== undefined && place.kind !== 'registry')
    throw new UsageError(
      'signatures are stored in registries: only an application from a registry can be verified',
    )
  // The application is held in memory.
  const maxBytes = sizeLimits(flags).memory
  const limits = { maxBytes, ...(flags.maxFiles === undefined ? {} : { maxFiles: flags.maxFiles }) }
  switch (place.kind) {
    case 'folder': {
      const app = await loadLocalApp(place.place, localAppOptions(flags, io), io, output)
      output.warnOf(app.warnings)
      return app
    }
    case 'wasm':
      return loadWasmApp(place.path, maxBytes)
    case 'registry': {
      const { reference } = place
      const cache = await openOptionalCache(cacheRoot(io, flags.cacheDir), io, output)
      const { result } = await withProgress(io, 'Pulling', (onProgress) =>
        pull(reference, {
          ...remoteOptions(io, output, flags, [reference]),
          onProgress,
          ...limits,
          readImage,
          ...(cache === undefined ? {} : { cache }),
          ...(verify === undefined ? {} : { verify }),
        }),
      )
      if (verify !== undefined) output.note(`Verified ${result.descriptor.digest}`)
      assertFits(result, maxBytes)
      return result
    }
    case 'bindle': {
      const client = await bindleClient(bindleServer(flags, io), io, output)
      const { result } = await withProgress(io, 'Pulling', (onProgress) =>
        pullBindle(
          { client, id: place.id },
          {
            signal: io.signal,
            createHasher: createNodeHasher,
            onProgress,
            ...limits,
            ...(flags.maxKeys === undefined ? {} : { maxKeys: flags.maxKeys }),
          },
        ),
      )
      assertFits(result, maxBytes)
      return result
    }
  }
}
