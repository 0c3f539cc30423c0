import { SpindleError } from '../errors.ts'
import type { Packable, PackableOptions } from '../spin/source/app.ts'
import type { LockedApp } from '../spin/lock/locked-app.ts'
import { copyGraph } from '../store/copy-graph.ts'
import { onSide } from '../store/side.ts'
import type { Descriptor, Location, RemoteOptions } from '../types.ts'
import { openLocation } from './location.ts'

export type { Json } from '../bytes/json.ts'
export type * from '../registry/remote-types.ts'
export type { PackedApp, PackOptions } from '../spin/artifact/pack.ts'
export type {
  ContentRef,
  HostRequirements,
  LockedApp,
  LockedComponent,
  LockedDependency,
  LockedFile,
  LockedSource,
  LockedTrigger,
  LockedVariable,
  MustUnderstand,
} from '../spin/lock/locked-app.ts'
export type { Packable, PackableOptions } from '../spin/source/app.ts'
export type { ContentStore, Location, ReadStore, Store } from '../types.ts'

/** Options of `push`. */
export interface PushOptions extends RemoteOptions, Omit<PackableOptions, keyof RemoteOptions> {
  /**
   * Bytes per upload request; progress is then reported per chunk. Default: one request per blob.
   */
  chunkSize?: number
  /** Another repository of the registry that may have the blobs: they are mounted from there. */
  mountFrom?: string
}

/** Result of `push`. */
export interface PushResult {
  /** Name and digest of the artifact. */
  readonly reference: string
  /** Descriptor of the artifact's manifest. */
  readonly descriptor: Descriptor
  /** The locked application, as it was pushed. */
  readonly locked: LockedApp
}

/**
 * Packs an application and pushes it to a registry or store; the tag is written last.
 *
 * Exported from the main entry point and `spindle/push`.
 *
 * @example From an upload page
 * ```ts
 * const app = await loadApp(event.dataTransfer)
 * const { descriptor } = await push(app, 'registry.example/team/hello:1.0.0', {
 *   credentials: { username, password }, signal, onProgress: render,
 * })
 * ```
 * @throws `ERR_APP_INVALID` and `ERR_UNSUPPORTED` for dependencies that can't be composed,
 * `ERR_UNAUTHORIZED`, `ERR_NETWORK`, `ERR_RESPONSE`, and `ERR_DIGEST_MISMATCH` when a file changed
 * while it was sent. The next push resumes an unfinished one.
 * @see {@link https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push Distribution Spec, Push}
 */
export async function push(
  app: Packable,
  to: Location,
  options: PushOptions = {},
): Promise<PushResult> {
  const { store, ref, reference } = openLocation(to, options)
  const packed = await onSide('source', app.pack(options))
  if (reference?.digest !== undefined && reference.digest !== packed.descriptor.digest) {
    throw new SpindleError(
      'ERR_DIGEST_MISMATCH',
      `the application's digest is ${packed.descriptor.digest}, not the one of ${reference}; push to a tag`,
    )
  }
  await copyGraph(packed.store, store, packed.descriptor, {
    ...options,
    ...(reference?.digest === undefined
      ? { tag: ref }
      : reference.tag === undefined
        ? {}
        : { tag: reference.tag }),
  })
  const name = reference === undefined ? ref : `${reference.registry}/${reference.repository}`
  return {
    reference: `${name}@${packed.descriptor.digest}`,
    descriptor: packed.descriptor,
    locked: packed.locked,
  }
}
