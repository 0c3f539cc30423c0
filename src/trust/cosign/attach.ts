/** Puts a signature beside an artifact, in either form. */
import { formatCanonicalJson } from '../../bytes/json.ts'
import { digestOf } from '../../bytes/digest.ts'
import { SpindleError } from '../../errors.ts'
import { wait } from '../../http/timing.ts'
import { EMPTY_BYTES, EMPTY_TYPE, IMAGE_CONFIG, IMAGE_MANIFEST } from '../../oci/manifest.ts'
import type { Descriptor, OperationOptions, Store } from '../../types.ts'
import { BUNDLE_TYPE, COSIGN_PREDICATE, SIMPLE_SIGNING_TYPE } from '../wire/media-types.ts'
import { formatConfig } from './simple-signing.ts'
import { MAX_SIGNATURE_LAYERS, readManifest, resolveOptional } from './signature-manifest.ts'

/** Writers of one `.sig` tag at a time: each loses at most to every other once. */
const MAX_ATTEMPTS = 8
/** Bounds of the wait for a writer that was at it at the same time, in milliseconds. */
const MIN_WINDOW_MS = 20
const MAX_WINDOW_MS = 2000

/** A bundle as a referrer: one manifest more, nothing shared, so nobody can be overwritten. */
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
 * A layer more in the `.sig` manifest.
 *
 * Registries have no compare-and-swap for tags: of two who write at once, the later undoes the earlier.
 * So the tag is looked at right before it is written, and read again after as long as all of that took;
 * whose layer is gone by then adds it again. Whoever needs longer than that between a look and a write
 * still undoes what was added meanwhile, and only bundles are safe from that: they share nothing.
 */
export async function attachLayer(
  store: Store,
  tag: string,
  payload: Uint8Array,
  annotations: Record<string, string>,
  options: OperationOptions,
): Promise<Descriptor> {
  const layer = { ...(await pushBytes(store, SIMPLE_SIGNING_TYPE, payload, options)), annotations }
  const isThere = (layers: readonly Descriptor[]): boolean =>
    layers.some(
      (other) => other.digest === layer.digest && sameAnnotations(other.annotations, annotations),
    )
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const started = Date.now()
    const before = await resolveOptional(store, tag, options)
    const present = await layersOf(store, before, options)
    // Signed the same before, or seen late: some registries show a write only after a while.
    if (isThere(present)) return layer
    if (present.length >= MAX_SIGNATURE_LAYERS)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `${tag} has ${MAX_SIGNATURE_LAYERS} signatures already, and nobody reads more: attach this one as a referrer`,
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
    if (isThere(await layersOf(store, await resolveOptional(store, tag, options), options)))
      return layer
  }
  throw new SpindleError(
    'ERR_CONFLICT',
    `${tag} was changed by others ${MAX_ATTEMPTS} times while this signature was added: try again, or attach it as a referrer, where nobody is in the way`,
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
