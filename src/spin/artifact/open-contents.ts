import { forEachBounded } from '../../bytes/concurrency.ts'
import { cursorOver } from '../../bytes/cursor.ts'
import { createPortableHasher, digestOf, formatDigest } from '../../bytes/digest.ts'
import { gunzip } from '../../bytes/gzip.ts'
import { chunksOf, openStream, streamFrom, streamOf } from '../../bytes/stream.ts'
import { verifyStream } from '../../bytes/verified.ts'
import { readTar } from '../../bytes/untar.ts'
import { paceOf, BUFFERED_BYTES, readContent } from '../../store/read-content.ts'
import type {
  Content,
  Descriptor,
  Digest,
  OperationOptions,
  PacedStore,
  ReadStore,
  Store,
} from '../../types.ts'
import { contentMissing, createBudget, decodeInline, layersOf } from './artifact-contents.ts'
import { ARCHIVE_LAYER_TYPE, DATA_LAYER_TYPE } from './media-types.ts'
import type { PulledApp } from './pulled-app.ts'
import { refsOf } from './unpack.ts'

interface OpenContentsOptions extends OperationOptions {
  /** Where large layers come from. Default: `app.store`. */
  readonly origin?: (ReadStore & PacedStore) | undefined
  /** Most bytes of all contents together, archives unpacked. */
  readonly maxBytes: number
  /** Most entries of an archive. Default 200000. */
  readonly maxFiles?: number | undefined
  /** Blobs in flight at once. */
  readonly concurrency?: number | undefined
}

/**
 * All Wasm and files that an application names, by digest, each to be opened when it is read: what
 * `PulledApp.contents` gives, for applications that are too large to hold.
 *
 * Everything is put into `keep` first, streamed and checked; archives are unpacked there.
 *
 * @param keep A store in which large content can be pushed as a stream and read more than once.
 * @throws `ERR_CONTENT_INVALID` for content that the artifact lacks, `ERR_DIGEST_MISMATCH`,
 * `ERR_LIMIT_EXCEEDED`
 */
export async function openContents(
  app: PulledApp,
  keep: Store,
  options: OpenContentsOptions,
): Promise<ReadonlyMap<Digest, Content>> {
  const { signal, createHasher, onProgress, origin = app.store as ReadStore & PacedStore } = options
  const { concurrency = paceOf(origin) } = options
  const budget = createBudget(options.maxBytes)
  const layers = layersOf(app)
  const contents = new Map<Digest, Content>()
  const missing = new Set<Digest>()
  const wanted: Descriptor[] = []

  const kept = (target: Descriptor): Content => ({
    size: target.size,
    stream: () =>
      verifyStream(() => keep.fetch(target, { signal, createHasher }), target, createHasher),
  })
  for (const { digest, inline } of app.locked.components.flatMap(refsOf)) {
    if (contents.has(digest) || missing.has(digest)) continue
    const layer = layers.get(digest)
    const bytes = app.unpacked?.get(digest)
    if (bytes !== undefined) {
      budget(bytes.length)
      contents.set(digest, { size: bytes.length, stream: () => streamOf(bytes) })
    } else if (inline !== undefined) {
      const bytes = await decodeInline(inline, digest)
      budget(bytes.length)
      contents.set(digest, { size: bytes.length, stream: () => streamOf(bytes) })
    } else if (layer !== undefined) {
      budget(layer.size)
      wanted.push(layer)
      contents.set(digest, kept(layer))
    } else missing.add(digest)
  }

  const fetchLayer = async (layer: Descriptor, stop: AbortSignal | undefined): Promise<void> => {
    const call = { signal: stop, createHasher }
    onProgress?.({ type: 'blob', descriptor: layer, status: 'active', loaded: 0 })
    if (layer.size <= BUFFERED_BYTES) {
      const bytes = await readContent(app.store, layer, call)
      if (!(await keep.has(layer, call))) await keep.push(layer, bytes, call)
    } else if (!(await isIntact(keep, layer, call)))
      await keep.push(layer, await origin.fetch(layer, call), call)
    onProgress?.({ type: 'blob', descriptor: layer, status: 'done', loaded: layer.size })
  }
  onProgress?.({
    type: 'plan',
    blobs: wanted.length,
    bytes: wanted.reduce((sum, { size }) => sum + size, 0),
  })
  await forEachBounded(wanted, concurrency, fetchLayer, signal)

  for (const layer of layers.values()) {
    if (missing.size === 0) break
    if (layer.mediaType !== ARCHIVE_LAYER_TYPE) continue
    budget(layer.size)
    await fetchLayer(layer, signal)
    const found = await unpackArchive(kept(layer), layer, missing, keep, budget, options)
    for (const target of found) {
      missing.delete(target.digest)
      contents.set(target.digest, kept(target))
    }
  }
  for (const digest of missing) throw contentMissing(digest)
  return contents
}

/** Whether large content is there and undamaged: it is not fetched again by those who read it. */
async function isIntact(
  store: Store,
  target: Descriptor,
  { signal, createHasher }: OperationOptions,
): Promise<boolean> {
  if (!(await store.has(target, { signal }))) return false
  try {
    const body = verifyStream(await store.fetch(target, { signal }), target, createHasher)
    for await (const _ of chunksOf(body, signal));
    return true
  } catch {
    signal?.throwIfAborted()
    return false
  }
}

/**
 * Puts what is wanted of an archive into a store. Small files are held one at a time; large ones are
 * hashed first and pushed as they are unpacked a second time.
 */
async function unpackArchive(
  content: Content,
  archive: Descriptor,
  wanted: ReadonlySet<Digest>,
  keep: Store,
  budget: (bytes: number) => void,
  { maxBytes, maxFiles, signal, createHasher = createPortableHasher }: OpenContentsOptions,
): Promise<readonly Descriptor[]> {
  const what = `the archive ${archive.digest}`
  const entries = (): ReturnType<typeof readTar> =>
    readTar(cursorOver(gunzip(chunksOf(openStream(content), signal), { maxBytes, what })), {
      what,
      maxBytes,
      maxEntries: maxFiles,
    })
  const found = new Map<Digest, Descriptor>()
  const large = new Map<number, Descriptor>()
  const isNew = (digest: Digest): boolean => wanted.has(digest) && !found.has(digest)
  let index = 0
  for await (const entry of entries()) {
    signal?.throwIfAborted()
    index++
    if (entry.kind !== 'file') continue
    if (entry.size <= BUFFERED_BYTES) {
      const bytes = await entry.bytes()
      const digest = await digestOf(bytes)
      if (!isNew(digest)) continue
      const target = { mediaType: DATA_LAYER_TYPE, digest, size: bytes.length }
      budget(target.size)
      await keep.push(target, bytes, { signal })
      found.set(digest, target)
      continue
    }
    const hasher = createHasher('sha256')
    for await (const chunk of entry.chunks()) await hasher.update(chunk)
    const digest = formatDigest('sha256', await hasher.digest())
    if (!isNew(digest)) continue
    const target = { mediaType: DATA_LAYER_TYPE, digest, size: entry.size }
    budget(target.size)
    found.set(digest, target)
    large.set(index, target)
  }
  if (large.size === 0) return [...found.values()]
  index = 0
  for await (const entry of entries()) {
    signal?.throwIfAborted()
    const target = large.get(++index)
    if (target !== undefined)
      await keep.push(target, streamFrom(entry.chunks()), { signal, createHasher })
  }
  return [...found.values()]
}
