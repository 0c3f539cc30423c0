import { parseBase64 } from '../../bytes/base64.ts'
import { mapBounded } from '../../bytes/concurrency.ts'
import { cursorOver } from '../../bytes/cursor.ts'
import { digestOf } from '../../bytes/digest.ts'
import { gunzip } from '../../bytes/gzip.ts'
import { chunksOf, streamOf } from '../../bytes/stream.ts'
import { readVerified } from '../../bytes/verified.ts'
import { readTar } from '../../bytes/untar.ts'
import { SpindleError } from '../../errors.ts'
import { parseManifest } from '../../oci/manifest.ts'
import { readContent } from '../../store/read-content.ts'
import type { Descriptor, Digest, OperationOptions, ReadStore, WholeStore } from '../../types.ts'
import type { ContentRef } from '../lock/locked-app.ts'
import { ARCHIVE_LAYER_TYPE } from './media-types.ts'
import type { PulledApp } from './pulled-app.ts'

export interface CollectOptions extends OperationOptions {
  readonly maxBytes: number
  readonly maxFiles?: number | undefined
  readonly concurrency: number
}

/** Finds what a lock names by digest, wherever the artifact has it. */
interface ArtifactContents {
  /** Bytes of all that is asked for, each checked against its digest. */
  collect(refs: Iterable<ContentRef>, options: CollectOptions): Promise<Map<Digest, Uint8Array>>
}

/**
 * Content of an artifact: inline in the lock, as a layer of its own, or inside an archive layer,
 * where only hashes count and names are nothing.
 */
export function createArtifactContents(
  store: ReadStore,
  layers: readonly Descriptor[],
): ArtifactContents {
  const byDigest = new Map<Digest, Descriptor>()
  for (const layer of layers) if (!byDigest.has(layer.digest)) byDigest.set(layer.digest, layer)
  const archives = [...byDigest.values()].filter((layer) => layer.mediaType === ARCHIVE_LAYER_TYPE)
  /** What is in the archives that were read so far; so that others needn't be read again. */
  const inside = new Map<Digest, ReadonlySet<Digest>>()

  return {
    async collect(refs, options) {
      const budget = createBudget(options.maxBytes)
      const found = new Map<Digest, Uint8Array>()
      const toFetch = new Map<Digest, Descriptor>()
      const missing = new Set<Digest>()
      for (const { digest, inline } of refs) {
        if (found.has(digest) || toFetch.has(digest) || missing.has(digest)) continue
        const layer = byDigest.get(digest)
        if (inline !== undefined) {
          const bytes = await decodeInline(inline, digest)
          budget(bytes.length)
          found.set(digest, bytes)
        } else if (layer !== undefined) {
          budget(layer.size)
          toFetch.set(digest, layer)
        } else missing.add(digest)
      }
      await fetchLayers(store, [...toFetch.values()], found, options)
      const known = archives.filter((archive) => overlaps(inside.get(archive.digest), missing))
      for (const archive of [...known, ...archives.filter(({ digest }) => !inside.has(digest))]) {
        if (missing.size === 0) break
        const { signal, createHasher } = options
        if (archive.size > options.maxBytes) throw tooLarge(options.maxBytes)
        const bytes = await readVerified(
          await store.fetch(archive, { signal, createHasher }),
          archive,
          signal,
          createHasher,
        )
        inside.set(
          archive.digest,
          await searchArchive(bytes, archive, missing, found, budget, options),
        )
      }
      for (const digest of missing) {
        throw contentMissing(digest)
      }
      return found
    },
  }
}

async function fetchLayers(
  store: ReadStore & Partial<WholeStore>,
  layers: readonly Descriptor[],
  found: Map<Digest, Uint8Array>,
  options: CollectOptions,
): Promise<void> {
  const { onProgress } = options
  onProgress?.({
    type: 'plan',
    blobs: layers.length,
    bytes: layers.reduce((sum, layer) => sum + layer.size, 0),
  })
  await mapBounded(
    layers,
    options.concurrency,
    async (descriptor, signal) => {
      onProgress?.({ type: 'blob', descriptor, status: 'active', loaded: 0 })
      found.set(
        descriptor.digest,
        await readContent(store, descriptor, { createHasher: options.createHasher, signal }),
      )
      onProgress?.({ type: 'blob', descriptor, status: 'done', loaded: descriptor.size })
    },
    options.signal,
  )
}

async function searchArchive(
  bytes: Uint8Array,
  archive: Descriptor,
  missing: Set<Digest>,
  found: Map<Digest, Uint8Array>,
  budget: (bytes: number) => void,
  { maxBytes, maxFiles, signal }: CollectOptions,
): Promise<ReadonlySet<Digest>> {
  const what = `the archive ${archive.digest}`
  const digests = new Set<Digest>()
  const unpacked = gunzip(chunksOf(streamOf(bytes), signal), { maxBytes, what })
  const limits = { what, maxBytes, maxEntries: maxFiles }
  for await (const entry of readTar(cursorOver(unpacked), limits)) {
    signal?.throwIfAborted()
    if (entry.kind !== 'file') continue
    const content = await entry.bytes()
    const digest = await digestOf(content)
    digests.add(digest)
    if (!missing.delete(digest)) continue
    budget(content.length)
    found.set(digest, content)
  }
  return digests
}

export async function decodeInline(inline: string, digest: Digest): Promise<Uint8Array> {
  const bytes = parseBase64(inline)
  if (bytes === undefined)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `inline content of ${digest} is no base64: push the application again`,
    )
  return readVerified(bytes, { mediaType: '', digest, size: bytes.length })
}

/** Counts bytes, and throws beyond a limit. */
export function createBudget(maxBytes: number): (bytes: number) => void {
  let total = 0
  return (bytes) => {
    total += bytes
    if (total > maxBytes) throw tooLarge(maxBytes)
  }
}

/**
 * Refuses an application whose layers alone are more than a limit, before any is fetched: calls for one
 * component each would pass.
 */
export function assertFits(app: PulledApp, maxBytes: number): void {
  const budget = createBudget(maxBytes)
  for (const layer of layersOf(app).values()) budget(layer.size)
}

/** The layers of an application's manifest, each once. */
export function layersOf(app: PulledApp): ReadonlyMap<Digest, Descriptor> {
  const manifest = parseManifest(app.manifestBytes)
  const layers = manifest.kind === 'manifest' ? manifest.layers : []
  return new Map(layers.toReversed().map((layer) => [layer.digest, layer]))
}

export function contentMissing(digest: Digest): SpindleError {
  return new SpindleError(
    'ERR_CONTENT_INVALID',
    `the application names content ${digest}, but the artifact has it neither inline nor as a layer nor in an archive: push the application again`,
  )
}

function tooLarge(maxBytes: number): SpindleError {
  return new SpindleError(
    'ERR_LIMIT_EXCEEDED',
    `the application's contents are more than ${maxBytes} bytes`,
    { remedy: { option: 'maxBytes', advice: 'raise % if you trust the source' } },
  )
}

function overlaps(has: ReadonlySet<Digest> | undefined, wanted: ReadonlySet<Digest>): boolean {
  if (has === undefined) return false
  for (const digest of wanted) if (has.has(digest)) return true
  return false
}
