/** Stores signatures with an artifact: bundles as referrers, legacy signatures under a tag. */
import { formatCanonicalJson } from '../../bytes/json.ts'
import { digestOf } from '../../bytes/digest.ts'
import { SpindleError } from '../../errors.ts'
import { wait } from '../../http/timing.ts'
import { EMPTY_BYTES, EMPTY_TYPE, IMAGE_CONFIG, IMAGE_MANIFEST } from '../../oci/manifest.ts'
import type { Descriptor, OperationOptions, Store } from '../../types.ts'
import { BUNDLE_TYPE, COSIGN_PREDICATE, SIMPLE_SIGNING_TYPE } from '../wire/media-types.ts'
import { formatConfig } from './simple-signing.ts'
import { MAX_SIGNATURE_LAYERS, readManifest, resolveOptional } from './signature-manifest.ts'

/** Attempts to add a layer: with 8 concurrent writers, each loses to every other at most once. */
const MAX_ATTEMPTS = 8
/** Shortest and longest wait for a concurrent writer, in milliseconds. */
const MIN_WINDOW_MS = 20
const MAX_WINDOW_MS = 2000

/** Stores a bundle as a referrer. It shares no manifest with other bundles, so writers cannot conflict. */
export async function attachBundle(
  store: Store,
  subject: Descriptor,
  bundle: Uint8Array,
  created: Date | undefined,
  options: OperationOptions,
): Promise<Descriptor> {
  const { mediaType, digest, size } = subject
  const config = await pushBytes(store, EMPTY_TYPE, EMPTY_BYTES, options)
  const layer = await pushBytes(store, BUNDLE_TYPE, bundle, options)
  const annotations = {
    ...(created !== undefined && { 'org.opencontainers.image.created': created.toISOString() }),
    'dev.sigstore.bundle.content': 'dsse-envelope',
    'dev.sigstore.bundle.predicateType': COSIGN_PREDICATE,
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: IMAGE_MANIFEST,
    artifactType: BUNDLE_TYPE,
    config,
    layers: [layer],
    subject: { mediaType, digest, size },
    annotations,
  }
  const pushed = await pushBytes(store, IMAGE_MANIFEST, formatCanonicalJson(manifest), options)
  return { ...pushed, artifactType: BUNDLE_TYPE, annotations }
}

/**
 * Adds a layer to the `.sig` manifest.
 *
 * Registries have no compare-and-swap for tags: a concurrent writer can overwrite the tag. So this resolves
 * the tag again right before writing it, waits as long as the attempt took, reads the manifest back, and
 * retries if its layer is missing. A writer that pauses longer than that between reading and writing can
 * still remove a layer; only bundles avoid this race.
 */
export async function attachLayer(
  store: Store,
  tag: string,
  payload: Uint8Array,
  annotations: Record<string, string>,
  options: OperationOptions,
): Promise<Descriptor> {
  const layer = { ...(await pushBytes(store, SIMPLE_SIGNING_TYPE, payload, options)), annotations }
  const isIncluded = (layers: readonly Descriptor[]): boolean =>
    layers.some(
      (other) => other.digest === layer.digest && sameAnnotations(other.annotations, annotations),
    )
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const started = Date.now()
    const before = await resolveOptional(store, tag, options)
    const present = await layersOf(store, before, options)
    // An identical signature exists, or a previous attempt became visible late (eventual consistency).
    if (isIncluded(present)) return layer
    if (present.length >= MAX_SIGNATURE_LAYERS)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `${tag} already has ${MAX_SIGNATURE_LAYERS} signatures, and verifiers read no more: attach this one as a referrer`,
      )
    const layers = [...present, layer]
    const config = await pushBytes(store, IMAGE_CONFIG, formatConfig(layers), options)
    const manifest = formatCanonicalJson({
      schemaVersion: 2,
      mediaType: IMAGE_MANIFEST,
      config,
      layers,
    })
    const descriptor = {
      mediaType: IMAGE_MANIFEST,
      digest: await digestOf(manifest),
      size: manifest.length,
    }
    if ((await resolveOptional(store, tag, options))?.digest !== before?.digest) continue
    await store.push(descriptor, manifest, { ...options, tag })
    const window = Math.min(Math.max(Date.now() - started, MIN_WINDOW_MS), MAX_WINDOW_MS)
    await wait(window * (1 + Math.random()), options.signal)
    if (isIncluded(await layersOf(store, await resolveOptional(store, tag, options), options)))
      return layer
  }
  throw new SpindleError(
    'ERR_CONFLICT',
    `${tag} was changed by other writers ${MAX_ATTEMPTS} times while this signature was added: try again, or attach it as a referrer, which avoids conflicts`,
  )
}

async function layersOf(
  store: Store,
  current: Descriptor | undefined,
  options: OperationOptions,
): Promise<Descriptor[]> {
  const manifest = current && (await readManifest(store, current, options))
  return manifest?.kind === 'manifest' ? [...manifest.layers] : []
}

function sameAnnotations(
  a: Readonly<Record<string, string>> = {},
  b: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(b).every(([key, value]) => a[key] === value)
}

async function pushBytes(
  store: Store,
  mediaType: string,
  bytes: Uint8Array,
  options: OperationOptions,
): Promise<Descriptor> {
  const descriptor: Descriptor = { mediaType, digest: await digestOf(bytes), size: bytes.length }
  await store.push(descriptor, bytes, options)
  return descriptor
}
