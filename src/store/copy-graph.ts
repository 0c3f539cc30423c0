import { type ErrorCode, SpindleError } from '../errors.ts'
import { forEachBounded } from '../bytes/concurrency.ts'
import { verifyStream } from '../bytes/verified.ts'
import type {
  Content,
  ContentStore,
  Descriptor,
  Digest,
  KnownBlobsStore,
  MountStore,
  OperationOptions,
  PacedStore,
  ReadStore,
  Store,
  WholeStore,
} from '../types.ts'
import { onEitherSide, onSide, withSide } from './side.ts'
import { paceOf, BUFFERED_BYTES, readContent } from './read-content.ts'
import { type Graph, type GraphOptions, type ManifestNode, readGraph } from './graph.ts'

/**
 * Size in bytes from which a HEAD costs less than sending the blob again. Registries answer a HEAD
 * about as slowly as they accept a small blob: HEADs took half of the time of a first push
 * (measured).
 */
const WORTH_ASKING_BYTES = 256 * 1024

/** Failures of an optional request that the push itself would meet too. */
const STOPPING: readonly ErrorCode[] = ['ERR_NETWORK', 'ERR_TIMEOUT', 'ERR_CREDENTIALS_INVALID']

/** Options of `copyGraph`. */
export interface CopyGraphOptions extends GraphOptions {
  /** Blobs in flight at once. Default: `paceOf` both sides, at most 8. */
  concurrency?: number
  /** Tag of the root; written last. */
  tag?: string
  /** Another repository of the target's registry that may have the blobs. */
  mountFrom?: string
  /** Runs after the artifact is complete and before the tag is written. See `copyReferrers`. */
  beforeTag?: () => Promise<void>
}

/**
 * Copies an artifact and everything it points at between two stores.
 *
 * Blobs first, then manifests from the leaves up, the tag last: an interrupted copy never leaves a
 * tag on an incomplete artifact, and a second run skips what was copied.
 */
export async function copyGraph(
  from: ReadStore & Partial<ContentStore & PacedStore & WholeStore>,
  to: Store & Partial<MountStore & KnownBlobsStore & PacedStore>,
  root: Descriptor,
  options: CopyGraphOptions = {},
): Promise<void> {
  const { tag, beforeTag, ...rest } = options
  const known =
    tag !== undefined && to.knownBlobs !== undefined
      ? onSide('target', to.knownBlobs(tag, operationOptions(options)))
      : undefined
  if (beforeTag === undefined) return void (await copyOne(from, to, root, options, known))
  const { bytes } = await copyOne(from, to, root, rest, known)
  await beforeTag()
  if (tag === undefined) return
  if (isLocal(to)) await onSide('target', to.tag(root, tag, operationOptions(options)))
  // `tag` of a registry reads the manifest first, which credentials for pushing may not allow.
  else await onSide('target', to.push(root, bytes, { ...operationOptions(options), tag }))
  options.onProgress?.({ type: 'manifest', descriptor: root, tag })
}

async function copyOne(
  from: ReadStore & Partial<ContentStore & PacedStore & WholeStore>,
  to: Store & Partial<MountStore & KnownBlobsStore & PacedStore>,
  root: Descriptor,
  options: CopyGraphOptions,
  knownBlobs?: Promise<ReadonlySet<Digest>>,
): Promise<ManifestNode> {
  const { signal, concurrency = paceOf(from, to) } = options
  // Concurrently: each is a round trip, and on a first push none finds anything.
  const [graph, there, known] = await Promise.all([
    onSide(
      'source',
      readGraph(from, root, { ...operationOptions(options), maxManifests: options.maxManifests }),
    ),
    ifAnswered(to, onSide('target', to.has(root, operationOptions(options))), false, signal),
    ifAnswered<ReadonlySet<Digest>>(to, knownBlobs, new Set(), signal),
  ])
  options.onProgress?.({
    type: 'plan',
    blobs: graph.blobs.length,
    bytes: graph.blobs.reduce((sum, blob) => sum + blob.size, 0),
  })
  if (there) {
    for (const descriptor of graph.blobs)
      options.onProgress?.({ type: 'blob', descriptor, status: 'exists', loaded: descriptor.size })
  } else {
    for (const descriptor of graph.blobs) {
      if (!known.has(descriptor.digest))
        options.onProgress?.({ type: 'blob', descriptor, status: 'waiting', loaded: 0 })
    }
    const copyBlob = createBlobCopier(from, to, known, options)
    await forEachBounded(largestFirst(graph), concurrency, copyBlob, signal)
  }
  return copyManifests(to, graph.manifests, there ? digestsOf(graph.manifests) : new Set(), options)
}

/**
 * Ignores failures of a request that only saves work: credentials may allow pushing but not
 * reading,
 * and the existing content may be unreadable. Failures of the connection, and of a local store, are
 * not ignored.
 */
async function ifAnswered<T>(
  to: Partial<KnownBlobsStore>,
  saving: Promise<T> | undefined,
  none: T,
  signal: AbortSignal | undefined,
): Promise<T> {
  try {
    return (await saving) ?? none
  } catch (error) {
    signal?.throwIfAborted()
    if (isLocal(to) || !(error instanceof SpindleError) || STOPPING.includes(error.code))
      throw error
    return none
  }
}

/** Large blobs first: a large one started last would run alone at the end. */
function largestFirst(graph: Graph): Descriptor[] {
  return [...graph.blobs].sort((a, b) => b.size - a.size)
}

function createBlobCopier(
  from: ReadStore & Partial<ContentStore & WholeStore>,
  to: Store & Partial<MountStore & KnownBlobsStore>,
  known: ReadonlySet<Digest>,
  options: CopyGraphOptions,
): (descriptor: Descriptor, signal: AbortSignal) => Promise<void> {
  const has = (descriptor: Descriptor, given: OperationOptions): Promise<boolean> =>
    ifAnswered(to, onSide('target', to.has(descriptor, given)), false, given.signal)
  // An interrupted push leaves small blobs. Checks one; as long as it exists, checks the next too.
  let first: Promise<boolean> | undefined
  let probing = true
  const hasSmall = async (descriptor: Descriptor, given: OperationOptions): Promise<boolean> => {
    if (first !== undefined && !((await first) && probing)) return false
    const asked = has(descriptor, given)
    first ??= asked
    probing = await asked
    return probing
  }
  return async (descriptor, signal) => {
    const { onProgress } = options
    const given = { ...operationOptions(options), signal }
    const end = (status: 'done' | 'exists' | 'mounted'): void =>
      onProgress?.({ type: 'blob', descriptor, status, loaded: descriptor.size })
    if (known.has(descriptor.digest)) return end('exists')
    if (options.mountFrom !== undefined && to.mount !== undefined) {
      // Also succeeds when the repository has the blob already, so no check is needed before.
      const mounted = onSide('target', to.mount(descriptor, options.mountFrom, given))
      if (await ifAnswered(to, mounted, false, signal)) return end('mounted')
    }
    const asks =
      isLocal(to) || descriptor.size >= WORTH_ASKING_BYTES
        ? has(descriptor, given)
        : hasSmall(descriptor, given)
    if (await asks) return end('exists')
    onProgress?.({ type: 'blob', descriptor, status: 'active', loaded: 0 })
    await pushBlob(from, to, descriptor, {
      ...given,
      onProgress: (event) => {
        if (event.type === 'blob' && event.status === 'active')
          onProgress?.({ ...event, descriptor })
      },
    })
    end('done')
  }
}

async function pushBlob(
  from: ReadStore & Partial<ContentStore & WholeStore>,
  to: Store & Partial<KnownBlobsStore>,
  descriptor: Descriptor,
  options: OperationOptions,
): Promise<void> {
  const local = from.content?.(descriptor)
  if (local !== undefined) return onEitherSide(to.push(descriptor, local, options))
  // Buffered, so that it can be sent again after a failure. A local store verifies it itself.
  if (descriptor.size <= BUFFERED_BYTES && (from.whole !== undefined || !isLocal(to))) {
    const bytes = await onSide('source', readContent(from, descriptor, options))
    return onSide('target', to.push(descriptor, bytes, options))
  }
  if (isLocal(to)) return pushOnce(from, to, descriptor, options)
  const source = fetchedContent(from, descriptor, options)
  try {
    await to.push(descriptor, source, options)
  } catch (error) {
    // `fetch` reports a failed body as its own failure; the source's error is the cause.
    if (source.failure !== undefined) throw withSide(source.failure.error, 'source')
    throw withSide(error, 'target')
  }
}

/** Whether a store is local: checks cost nothing there, and it does not retry. */
function isLocal(to: Partial<KnownBlobsStore>): boolean {
  return to.knownBlobs === undefined
}

/** Pushes a stream, which only the target verifies. */
async function pushOnce(
  from: ReadStore,
  to: Store,
  descriptor: Descriptor,
  options: OperationOptions,
): Promise<void> {
  const stream = await onSide('source', from.fetch(descriptor, options))
  try {
    // A local store fails with errors of the platform. Errors of this library come from the stream.
    await onSide('source', to.push(descriptor, stream, options))
  } catch (error) {
    if (!stream.locked) void stream.cancel(error).catch(() => {})
    throw error
  }
}

/**
 * Content that is fetched again each time it is opened, so that an upload can be retried. Verified
 * once: by its reader or on the way.
 */
function fetchedContent(
  from: ReadStore,
  descriptor: Descriptor,
  options: OperationOptions,
): Content & { failure?: { error: unknown } } {
  const content: Content & { failure?: { error: unknown } } = {
    size: descriptor.size,
    stream() {
      delete content.failure
      return verifyStream(
        () => from.fetch(descriptor, options),
        descriptor,
        options.createHasher,
        (error) => {
          content.failure = { error }
        },
      )
    },
  }
  return content
}

async function copyManifests(
  to: Store,
  manifests: readonly ManifestNode[],
  there: ReadonlySet<Digest>,
  options: CopyGraphOptions,
): Promise<ManifestNode> {
  const root = manifests.at(-1)
  if (root === undefined)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      'the source is a blob, not a manifest; name the artifact that it belongs to',
    )
  for (const { descriptor, bytes } of manifests) {
    const naming =
      descriptor === root.descriptor && options.tag !== undefined ? { tag: options.tag } : {}
    if (!there.has(descriptor.digest) || 'tag' in naming) {
      await onSide(
        'target',
        to.push(descriptor, bytes, { ...operationOptions(options), ...naming }),
      )
    }
    options.onProgress?.({ type: 'manifest', descriptor, ...naming })
  }
  return root
}

/** The options of a copy that are passed to methods of a store. */
export function operationOptions(options: OperationOptions): OperationOptions {
  return {
    signal: options.signal,
    createHasher: options.createHasher,
  }
}

function digestsOf(manifests: readonly ManifestNode[]): ReadonlySet<Digest> {
  return new Set(manifests.map((node) => node.descriptor.digest))
}
