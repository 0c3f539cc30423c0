import { documentBytes } from '../../bytes/document-limits.ts'
import { quotePath } from '../../bytes/path.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import { readVerified } from '../../bytes/verified.ts'
import { type Remedy, SpindleError } from '../../errors.ts'
import { type ImageManifest, MAX_MANIFEST_BYTES, parseManifest } from '../../oci/manifest.ts'
import { paceOf } from '../../store/read-content.ts'
import type {
  Descriptor,
  Digest,
  FileTree,
  OperationOptions,
  PacedStore,
  ReadStore,
} from '../../types.ts'
import { type CollectOptions, createArtifactContents } from './artifact-contents.ts'
import { parseLockedApp } from '../lock/parse-locked-app.ts'
import type {
  ContentRef,
  LockedApp,
  LockedComponent,
  LockedDependency,
} from '../lock/locked-app.ts'
import {
  IMAGE_CONFIG_TYPES,
  IMAGE_LAYER_TYPE,
  LOCKED_APP_TYPE,
  WASM_LAYER_TYPE,
  WASM_PACKAGE_TYPE,
} from './media-types.ts'
import type { PulledApp, ReadImage } from './pulled-app.ts'
import { MAX_APP_BYTES } from '../files/tree-builder.ts'

export type { PulledApp } from './pulled-app.ts'

export interface UnpackOptions extends OperationOptions {
  /** Most bytes that one call may unpack. Default 256 MiB. */
  maxBytes?: number
  /** Most entries of an archive layer. Default 200000. */
  maxFiles?: number
  /** Blobs in flight at once. Default 8; from a registry in pages 6. */
  concurrency?: number
  /** Most keys of the locked application. Default 200 000, which is some 50 000 files. */
  maxKeys?: number | undefined
  /**
   * Reads container images with a `/spin.toml`: `readImage`. Default: they are refused, as to read
   * them takes all that reads a manifest.
   */
  readImage?: ReadImage
}

/**
 * Opens an application of any version of Spin, from 0.8 on: its manifest and lock are read and
 * checked, its contents when they are asked for. With `readImage` also a container image, whose
 * layers are read at once, as its application is in its files. No byte is handed out before its digest fits.
 *
 * Exported from `spindle/app`.
 *
 * @example Out of an OCI layout
 * ```ts
 * const app = await unpackApp(await store.resolve('1.0'), store)
 * const wasm = await app.component('hello')
 * ```
 *
 * Rejects with `ERR_CONTENT_INVALID` for what is no Spin application or a malformed one,
 * `ERR_APP_INVALID` for the manifest in an image, `ERR_DIGEST_MISMATCH`, `ERR_LIMIT_EXCEEDED`, and `ERR_UNSUPPORTED` for an application that
 * says it needs more than is known here.
 */
export async function unpackApp(
  descriptor: Descriptor,
  store: ReadStore & PacedStore,
  options: UnpackOptions = {},
): Promise<PulledApp> {
  const { bytes, manifest } = await readManifest(descriptor, store, options)
  const image = isImage(manifest) ? await openImage(manifest, store, options) : undefined
  const limits = limitsOf(store, options)
  const locked = image?.locked ?? (await readLock(manifest, store, limits, options))
  const components = new Map(locked.components.map((component) => [component.id, component]))
  const contents = createArtifactContents(store, manifest.layers)

  const collect = (
    refs: Iterable<ContentRef>,
    call: OperationOptions = {},
  ): ReturnType<typeof contents.collect> => {
    if (image !== undefined) return Promise.resolve(pickContents(refs, image.contents))
    return contents.collect(refs, {
      signal: call.signal ?? options.signal,
      createHasher: call.createHasher ?? options.createHasher,
      onProgress: call.onProgress ?? options.onProgress,
      maxBytes: limits.maxBytes,
      maxFiles: limits.maxFiles,
      concurrency: limits.concurrency,
    } satisfies CollectOptions)
  }
  const find = (id: string): LockedComponent => {
    const component = components.get(id)
    if (component === undefined)
      throw new SpindleError(
        'ERR_NOT_FOUND',
        `the application has no component ${JSON.stringify(id)}; it has ${
          [...components.keys()]
            .slice(0, 20)
            .map((known) => JSON.stringify(known))
            .join(', ') || 'none'
        }`,
      )
    return component
  }

  const component = async (id: string, call?: OperationOptions): Promise<Uint8Array> => {
    const { source } = find(id)
    const found = await collect([source], call)
    return found.get(source.digest) as Uint8Array
  }
  const dependency = async (
    id: string,
    name: string,
    call?: OperationOptions,
  ): Promise<Uint8Array> => {
    const { dependencies = {} } = find(id)
    const { source } = Object.hasOwn(dependencies, name)
      ? (dependencies[name] as LockedDependency)
      : noDependency(id, name)
    const found = await collect([source], call)
    return found.get(source.digest) as Uint8Array
  }
  const files = async (id: string, call?: OperationOptions): Promise<FileTree> => {
    const { files: listed = [] } = find(id)
    const found = await collect(listed, call)
    // Of two at one path the later counts, as when they are written one after the other.
    return new Map(listed.map(({ path, digest }) => [path, found.get(digest) as Uint8Array]))
  }
  const { name, version } = locked.metadata ?? {}

  return {
    descriptor,
    manifestBytes: bytes,
    name: typeof name === 'string' ? name : '',
    ...(typeof version === 'string' ? { version } : {}),
    annotations: manifest.annotations ?? {},
    locked,
    components: locked.components.map(({ id }) => ({
      id,
      wasm: (call) => component(id, call),
      files: (call) => files(id, call),
      dependency: (wanted, call) => dependency(id, wanted, call),
    })),
    signatures: [],
    store,
    ...(image === undefined ? {} : { unpacked: image.contents }),
    component,
    dependency,
    files,
    contents: (call) => collect(locked.components.flatMap(refsOf), call),
  }
}

interface UnpackLimits {
  readonly maxBytes: number
  readonly maxFiles: number | undefined
  readonly maxKeys: number | undefined
  /** Bytes of the locked application: more where more keys are allowed. */
  readonly maxLockBytes: number
  readonly concurrency: number
}

/** The limits that options give, with their defaults. */
function limitsOf(store: PacedStore, options: UnpackOptions): UnpackLimits {
  const { maxBytes = MAX_APP_BYTES, maxFiles, maxKeys, concurrency = paceOf(store) } = options
  return { maxBytes, maxFiles, maxKeys, maxLockBytes: documentBytes(maxKeys), concurrency }
}

/** Whether an artifact is a container image: a config of its type, and only layers of files. */
function isImage({ config, layers }: ImageManifest): boolean {
  return (
    IMAGE_CONFIG_TYPES.has(config.mediaType) &&
    layers.length > 0 &&
    layers.every(({ mediaType }) => IMAGE_LAYER_TYPE.test(mediaType))
  )
}

function openImage(
  { layers }: ImageManifest,
  store: ReadStore,
  options: UnpackOptions,
): ReturnType<ReadImage> {
  if (options.readImage !== undefined) return options.readImage(layers, store, options)
  throw new SpindleError(
    'ERR_CONTENT_INVALID',
    'this artifact is no Spin application: it is a container image; if it has a /spin.toml, read it with the option "readImage"',
  )
}

function pickContents(
  refs: Iterable<ContentRef>,
  contents: ReadonlyMap<Digest, Uint8Array>,
): Map<Digest, Uint8Array> {
  return new Map(
    Array.from(refs, ({ digest }) => [digest, contents.get(digest) as Uint8Array] as const),
  )
}

function noDependency(id: string, name: string): never {
  throw new SpindleError(
    'ERR_NOT_FOUND',
    `component ${JSON.stringify(id)} has no dependency ${JSON.stringify(name)}`,
  )
}

/** All content that a component names: its Wasm, that of its dependencies, and its files. */
export function refsOf(component: LockedComponent): readonly ContentRef[] {
  const dependencies = [
    ...Object.values(component.dependencies ?? {}),
    ...Object.values(component.trigger_dependencies ?? {}).flat(),
  ]
  return [
    component.source,
    ...dependencies.map((dependency) => dependency.source),
    ...(component.files ?? []),
  ]
}

async function readManifest(
  root: Descriptor,
  store: ReadStore,
  options: UnpackOptions,
): Promise<{ bytes: Uint8Array; manifest: ImageManifest }> {
  const bytes = await readBlob(root, MAX_MANIFEST_BYTES, 'manifest', store, options)
  const artifact = parseManifest(bytes, root.mediaType)
  if (artifact.kind === 'manifest') return { bytes, manifest: artifact }
  const entry = pickEntry(artifact.manifests)
  const inner = await readBlob(entry, MAX_MANIFEST_BYTES, 'manifest', store, options)
  const manifest = parseManifest(inner, entry.mediaType)
  if (manifest.kind === 'index')
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `${root.digest} is an index of indexes; name the application's manifest by its digest`,
    )
  return { bytes: inner, manifest }
}

// Spin's own client looks for the host's platform, so that no index of a Spin application works with it.
function pickEntry(entries: readonly Descriptor[]): Descriptor {
  const isWasm = ({ platform }: Descriptor): boolean => /^wasm/.test(platform?.architecture ?? '')
  const wasm = entries.filter(isWasm)
  // Beside each image BuildKit puts an attestation, for no platform at all.
  const real = entries.filter(({ platform }) => platform?.architecture !== 'unknown')
  const [only] = [wasm, entries, real].find((list) => list.length === 1) ?? []
  if (only !== undefined) return only
  const list = entries
    .slice(0, 20)
    .map(
      ({ digest, platform }) =>
        `${platform === undefined ? '' : `${quotePath(`${platform.os}/${platform.architecture}`)} `}${digest}`,
    )
  throw new SpindleError(
    'ERR_CONTENT_INVALID',
    `this is an index of ${entries.length} manifests, and none stands out as the application; name one by its digest: ${list.join(', ')}`,
  )
}

async function readLock(
  manifest: ImageManifest,
  store: ReadStore,
  { maxKeys, maxLockBytes }: UnpackLimits,
  options: OperationOptions,
): Promise<LockedApp> {
  const { config, layers } = manifest
  const locks = new Map(
    layers
      .filter((layer) => layer.mediaType === LOCKED_APP_TYPE)
      .map((layer) => [layer.digest, layer]),
  )
  if (locks.size > 1)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the artifact has ${locks.size} locked applications, and nothing says which one counts; push it again`,
    )
  const [layer] = locks.values()
  const place = layer ?? config
  const bytes = await readBlob(place, maxLockBytes, 'locked application', store, options, {
    option: 'maxKeys',
    advice: 'if it is meant to be, raise %, of which each counts 128 bytes',
  })
  if (layer !== undefined || config.mediaType === LOCKED_APP_TYPE)
    return parseLockedApp(bytes, { maxKeys })
  // Whatever its type says, a config with this key is an application.
  const value = parseJsonConfig(bytes)
  if (isJsonObject(value) && 'spin_lock_version' in value) return parseLockedApp(bytes, { maxKeys })
  const [wasm] = layers
  if (
    layers.length === 1 &&
    wasm !== undefined &&
    (wasm.mediaType === WASM_PACKAGE_TYPE || wasm.mediaType === WASM_LAYER_TYPE)
  )
    return lockBareWasm(wasm, manifest.annotations ?? {})
  throw new SpindleError(
    'ERR_CONTENT_INVALID',
    `this artifact is no Spin application: it has ${layers.length} layers, none of them a locked application, and a config of type ${quotePath(config.mediaType)}`,
  )
}

function parseJsonConfig(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes, 'the config')
  } catch {
    return undefined
  }
}

async function readBlob(
  target: Descriptor,
  limit: number,
  what: string,
  store: ReadStore,
  options: OperationOptions,
  remedy?: Remedy,
): Promise<Uint8Array> {
  if (target.size > limit)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the ${what} ${target.digest} has ${target.size} bytes, more than ${limit}: this is no usual application`,
      remedy === undefined ? {} : { remedy },
    )
  const { signal, createHasher, onProgress } = options
  return readVerified(
    await store.fetch(target, { signal, createHasher, onProgress }),
    target,
    signal,
  )
}

/**
 * The application that `spin up` makes of a bare component or module, as wkg pushes it: one
 * component that answers every HTTP request.
 */
function lockBareWasm(layer: Descriptor, annotations: Readonly<Record<string, string>>): LockedApp {
  const name = annotations['org.opencontainers.image.title'] ?? 'wasm'
  const component = 'http-trigger1-component'
  return {
    spin_lock_version: 0,
    metadata: { name, trigger: { type: 'http' }, triggers: {} },
    triggers: [
      { id: 'http-trigger1', trigger_type: 'http', trigger_config: { component, route: '/...' } },
    ],
    components: [
      { id: component, source: { content_type: 'application/wasm', digest: layer.digest } },
    ],
  }
}
