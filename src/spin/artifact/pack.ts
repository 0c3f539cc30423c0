import { formatBase64Unpadded } from '../../bytes/base64.ts'
import { mapBounded } from '../../bytes/concurrency.ts'
import { digestOf } from '../../bytes/digest.ts'
import { formatCanonicalJson } from '../../bytes/json.ts'
import { openStream } from '../../bytes/stream.ts'
import { readVerified } from '../../bytes/verified.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import { IMAGE_CONFIG, IMAGE_MANIFEST, MAX_MANIFEST_BYTES } from '../../oci/manifest.ts'
import type {
  Content,
  ContentStore,
  CreateHasher,
  Descriptor,
  Digest,
  ReadStore,
} from '../../types.ts'
import { annotationsOf } from './artifact-annotations.ts'
import { packArchive } from './archive.ts'
import { checkedContent } from './checked-content.ts'
import { formatLockedApp } from '../lock/format-locked-app.ts'
import type {
  ContentRef,
  LockedApp,
  LockedComponent,
  LockedFile,
  LockResult,
} from '../lock/locked-app.ts'
import {
  ARCHIVE_LAYER_TYPE,
  DATA_LAYER_TYPE,
  LOCKED_APP_TYPE,
  WASM_LAYER_TYPE,
} from './media-types.ts'

/** Files up to this size stand in the lock itself: some registries refuse very small blobs. As in Spin. */
export const INLINE_BYTES: number = 128

/** More layers than this, without the lock, go into archives: ECR takes 500 in all. As in Spin. */
export const MAX_LAYERS: number = 499

/** What Workers open to one host at once. */
const SMALL_READS = 6

export interface PackOptions {
  /** Annotations of the manifest. They win over those inferred from the application. */
  annotations?: Readonly<Record<string, string>>
  /** `org.opencontainers.image.created`. Left out by default, so that the same files give the same digest. */
  created?: Date
  /** One archive per component in place of a layer per file. Default: only above 499 layers. */
  archive?: boolean
  signal?: AbortSignal | undefined
  /** Streaming hasher for what is too large to hold. Default: portable but slow. */
  createHasher?: CreateHasher | undefined
}

/** An artifact ready to be copied anywhere. Nothing large is held: contents are read when they are sent. */
export interface PackedApp {
  /** Of the manifest. */
  readonly descriptor: Descriptor
  readonly manifestBytes: Uint8Array
  /** As it is written into the artifact. */
  readonly locked: LockedApp
  /** Has the manifest and all that it points at, by digest. */
  readonly store: ReadStore & ContentStore
}

interface Layer {
  readonly descriptor: Descriptor
  readonly content: Uint8Array | Content
}

/**
 * Packs a locked application into the artifact that `spin up --from` (2.0 and later) and
 * containerd-shim-spin run. The same files give the same digest on every machine and runtime.
 *
 * Exported from `spindle/app`.
 *
 * @example The digest before anything is sent
 * ```ts
 * const { descriptor } = await packApp(await lockApp(app))
 * ```
 *
 * Rejects with `ERR_FILE_MISSING` when the lock names content that isn't there,
 * `ERR_DIGEST_MISMATCH` when a file changed since it was hashed (also while it is sent), and
 * `ERR_LIMIT_EXCEEDED` when the manifest would be larger than registries take.
 */
export async function packApp(lock: LockResult, options: PackOptions = {}): Promise<PackedApp> {
  const { signal } = options
  const source = createSource(lock, options)
  const locked = await inlineSmall(lock.locked, source, signal)
  let layers = collectLayers(locked, source)
  const archive = options.archive ?? layers.length > MAX_LAYERS
  if (archive) layers = await collectArchives(locked, source, options)

  const lockBytes = formatLockedApp(locked)
  const lockLayer = await layerOf(lockBytes, LOCKED_APP_TYPE)
  const configBytes = encodeUtf8(formatConfig(lockLayer.descriptor.digest))
  const config = await layerOf(configBytes, IMAGE_CONFIG)
  layers.push(lockLayer)
  signal?.throwIfAborted()

  const annotations = annotationsOf(locked, options.annotations, options.created)
  const manifest = formatCanonicalJson({
    annotations: Object.keys(annotations).length === 0 ? undefined : annotations,
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
    mediaType: IMAGE_MANIFEST,
    schemaVersion: 2,
  })
  if (manifest.length > MAX_MANIFEST_BYTES) {
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the manifest would have ${manifest.length} bytes, and registries take ${MAX_MANIFEST_BYTES}: pack with "archive", or shorten the annotations`,
    )
  }
  const root = await layerOf(manifest, IMAGE_MANIFEST)
  return {
    descriptor: root.descriptor,
    manifestBytes: manifest,
    locked,
    store: storeOf([...layers, config, root], root.descriptor),
  }
}

/** The 209 bytes of a config as Spin writes it; the label gives each application an image id of its own. */
function formatConfig(lock: Digest): string {
  return `{"architecture":"wasm","os":"wasip1","config":{"Labels":{"com.fermyon.spin.lockedAppDigest":"${lock}"}},"rootfs":{"type":"layers","diff_ids":[]}}`
}

async function layerOf(bytes: Uint8Array, mediaType: string): Promise<Layer> {
  return {
    descriptor: { mediaType, digest: await digestOf(bytes), size: bytes.length },
    content: bytes,
  }
}

/** Content that the lock names, checked against its digest whenever it is read. */
type Source = (ref: ContentRef, mediaType: string, place: string) => Layer

function createSource(lock: LockResult, { createHasher }: PackOptions): Source {
  return ({ digest }, mediaType, place) => {
    const content = lock.contents.get(digest)
    if (content === undefined)
      throw new SpindleError(
        'ERR_FILE_MISSING',
        `${place} has the digest ${digest}, but its content was not given: lock the application again`,
      )
    const size = content instanceof Uint8Array ? content.length : content.size
    const descriptor = { mediaType, digest, size }
    return { descriptor, content: checkedContent(content, descriptor, place, createHasher) }
  }
}

async function inlineSmall(
  locked: LockedApp,
  source: Source,
  signal: AbortSignal | undefined,
): Promise<LockedApp> {
  const small = new Map<Digest, Layer>()
  const note = (ref: ContentRef, place: string): void => {
    const layer = source(ref, DATA_LAYER_TYPE, place)
    if (layer.descriptor.size <= INLINE_BYTES) small.set(ref.digest, layer)
  }
  for (const component of locked.components) {
    for (const file of component.files ?? []) note(file, placeOf(component, file))
    note(component.source, placeOf(component))
  }
  // Side by side: contents may be as far away as a server, one answer each.
  const digests = [...small.keys()]
  const texts = await mapBounded(
    [...small.values()],
    SMALL_READS,
    async ({ content, descriptor }) =>
      formatBase64Unpadded(await readVerified(content, descriptor)),
    signal,
  )
  const inlined = new Map(digests.map((digest, index) => [digest, texts[index] as string]))
  const inline = <T extends ContentRef>(ref: T): T => {
    const { inline: _, ...rest } = ref
    const text = inlined.get(ref.digest)
    return text === undefined ? (rest as T) : { ...ref, inline: text }
  }
  const components = locked.components.map((component): LockedComponent => {
    const files: readonly LockedFile[] = (component.files ?? []).map(inline)
    return {
      ...component,
      source: inline(component.source),
      ...(files.length > 0 ? { files } : {}),
    }
  })
  return { ...locked, components }
}

function placeOf(component: LockedComponent, file?: LockedFile): string {
  return file === undefined
    ? `the Wasm of component "${component.id}"`
    : `the file "${file.path}" of component "${component.id}"`
}

// The Wasm is a layer however small it is: Spin looks for it nowhere else.
function wasmLayers(component: LockedComponent, source: Source): Layer[] {
  const dependencies = [
    ...Object.values(component.dependencies ?? {}),
    ...Object.values(component.trigger_dependencies ?? {}).flat(),
  ]
  return [component.source, ...dependencies.map((dependency) => dependency.source)].map((ref) =>
    source(ref, WASM_LAYER_TYPE, placeOf(component)),
  )
}

function collectLayers(locked: LockedApp, source: Source): Layer[] {
  const layers: Layer[] = []
  for (const component of locked.components) {
    layers.push(...wasmLayers(component, source))
    for (const file of component.files ?? []) {
      if (file.inline === undefined)
        layers.push(source(file, DATA_LAYER_TYPE, placeOf(component, file)))
    }
  }
  return unique(layers)
}

async function collectArchives(
  locked: LockedApp,
  source: Source,
  options: PackOptions,
): Promise<Layer[]> {
  const layers: Layer[] = []
  for (const component of locked.components) {
    layers.push(...wasmLayers(component, source))
    if (component.files === undefined || component.files.length === 0) continue
    const files = component.files.map((file) => ({
      path: file.path,
      content: source(file, DATA_LAYER_TYPE, placeOf(component, file)).content,
    }))
    const { content, digest, size } = await packArchive(
      files,
      `component "${component.id}"`,
      options,
    )
    layers.push({ descriptor: { mediaType: ARCHIVE_LAYER_TYPE, digest, size }, content })
  }
  return unique(layers)
}

/**
 * Each blob once. What is both Wasm and a file is listed as a file: Spin stores a blob under the
 * type that it meets first, finds Wasm among files, but not files among Wasm.
 */
function unique(layers: readonly Layer[]): Layer[] {
  const byDigest = new Map<Digest, Layer>()
  for (const layer of layers) {
    const known = byDigest.get(layer.descriptor.digest)
    if (known === undefined || layer.descriptor.mediaType === DATA_LAYER_TYPE)
      byDigest.set(layer.descriptor.digest, layer)
  }
  return [...byDigest.values()]
}

function storeOf(layers: readonly Layer[], root: Descriptor): ReadStore & ContentStore {
  const contents = new Map(layers.map(({ descriptor, content }) => [descriptor.digest, content]))
  return {
    content: (target) => contents.get(target.digest),
    has: async (target) => contents.has(target.digest),
    async fetch(target, options) {
      options?.signal?.throwIfAborted()
      const content = contents.get(target.digest)
      if (content === undefined)
        throw new SpindleError(
          'ERR_NOT_FOUND',
          `${target.digest} is no part of the packed application`,
        )
      return openStream(content)
    },
    async resolve(ref) {
      if (ref !== root.digest)
        throw new SpindleError(
          'ERR_NOT_FOUND',
          `the packed application has the digest ${root.digest} and no other name`,
        )
      return root
    },
  }
}
