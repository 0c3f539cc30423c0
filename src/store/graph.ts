import { SpindleError } from '../errors.ts'
import {
  assertNotSchema1,
  isManifestType,
  MAX_MANIFEST_BYTES,
  parseManifest,
  successorsOf,
} from '../oci/manifest.ts'
import type { Descriptor, Digest, OperationOptions, ReadStore } from '../types.ts'
import { readFetched } from './read-content.ts'

/** A manifest of an artifact. */
export interface ManifestNode {
  readonly descriptor: Descriptor
  /** As received, verified. */
  readonly bytes: Uint8Array
}

/** Manifests and blobs of an artifact, each once. */
export interface Graph {
  /** A manifest follows all those it points at; the root is last. */
  readonly manifests: readonly ManifestNode[]
  /** Not read. */
  readonly blobs: readonly Descriptor[]
}

/** Most manifests of one artifact. A Spin application has one, a multi-platform image tens. */
export const MAX_MANIFESTS = 1000
/**
 * Most bytes of all manifests of an artifact, which are buffered together. Real ones have some
 * kilobytes each.
 */
export const MAX_GRAPH_BYTES: number = 64 * 1024 * 1024
/** Most levels of nested indexes. Real ones have one. */
export const MAX_DEPTH = 16

/** Options of `readGraph`. */
export interface GraphOptions extends OperationOptions {
  /** Most manifests of one artifact. Default 1000. */
  maxManifests?: number | undefined
}

/**
 * Reads a root and all manifests under it; blobs are listed, not read.
 * A layer with `urls` is listed too: a copy must be complete.
 * @throws `ERR_LIMIT_EXCEEDED` for a graph too large or too deep; `ERR_DIGEST_MISMATCH` for content
 * that does not match its digest.
 */
export async function readGraph(
  store: ReadStore,
  root: Descriptor,
  options: GraphOptions = {},
): Promise<Graph> {
  const { maxManifests = MAX_MANIFESTS } = options
  const manifests = new Map<Digest, ManifestNode>()
  const blobs = new Map<Digest, Descriptor>()
  let buffered = 0
  const visit = async (target: Descriptor, depth: number): Promise<void> => {
    if (!isManifestType(target.mediaType)) {
      assertNotSchema1(`the manifest ${target.digest}`, target.mediaType)
      if (!blobs.has(target.digest)) blobs.set(target.digest, target)
      return
    }
    if (manifests.has(target.digest)) return
    if (depth > MAX_DEPTH)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `${root.digest} nests more than ${MAX_DEPTH} indexes`,
      )
    if (manifests.size >= maxManifests)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `${root.digest} has more than ${maxManifests} manifests`,
        { remedy: { option: 'maxManifests', advice: 'raise % if you trust the source' } },
      )
    buffered += target.size
    if (buffered > MAX_GRAPH_BYTES)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `the manifests of ${root.digest} have more than ${MAX_GRAPH_BYTES} bytes; copy its parts one by one`,
      )
    const bytes = await readManifest(store, target, options)
    for (const next of successorsOf(parseManifest(bytes, target.mediaType)))
      await visit(next, depth + 1)
    manifests.set(target.digest, { descriptor: target, bytes })
  }
  await visit(root, 0)
  return { manifests: [...manifests.values()], blobs: [...blobs.values()] }
}

/** Reads a manifest, bounded and verified. */
export async function readManifest(
  store: ReadStore,
  target: Descriptor,
  options: OperationOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  if (target.size > MAX_MANIFEST_BYTES) {
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the manifest ${target.digest} has ${target.size} bytes, more than the ${MAX_MANIFEST_BYTES} that registries accept`,
    )
  }
  return readFetched(store, target, options)
}
