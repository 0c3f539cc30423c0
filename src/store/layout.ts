import { isDigest, algorithmOf, hexOf } from '../bytes/digest.ts'
import { formatCanonicalJson, isJsonObject, parseJson } from '../bytes/json.ts'
import { openStream, readBounded } from '../bytes/stream.ts'
import { readVerified, verifyStream } from '../bytes/verified.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import { SpindleError } from '../errors.ts'
import { parseDescriptor } from '../oci/descriptor.ts'
import {
  IMAGE_INDEX,
  isManifestType,
  type Manifest,
  MAX_MANIFEST_BYTES,
  parseManifest,
  referrerDescriptor,
  successorsOf,
} from '../oci/manifest.ts'
import type {
  BodySource,
  Content,
  Descriptor,
  Digest,
  OperationOptions,
  ReferrerStore,
  Store,
  WholeStore,
} from '../types.ts'

/** Files of a layout, in a folder, a tar or a bucket. */
export interface LayoutFiles {
  /** Reads a file; `undefined` if it does not exist. */
  read(path: string): Promise<Uint8Array | Content | undefined>
  /** Writes a file atomically: readers never see a part of it. */
  write(
    path: string,
    body: BodySource,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<void>
  /** Whether a file exists. */
  has(path: string): Promise<boolean>
}

/** Largest `index.json` in bytes: thousands of tags. */
const MAX_INDEX_BYTES = 16 * 1024 * 1024
/** Blobs up to this size are buffered to be verified: 8 in flight are 32 MiB. */
const BUFFERED_BYTES = 4 * 1024 * 1024
const REF_NAME = 'org.opencontainers.image.ref.name'
const LAYOUT_FILE = 'oci-layout'
const INDEX_FILE = 'index.json'

interface Entry {
  readonly descriptor: Descriptor
  readonly name?: string
}

/**
 * Creates a store over an OCI image layout: skopeo's `oci:` for a folder, `oci-archive:` for a tar.
 *
 * Exported from the main entry point and `spindle/store`. For a folder use
 * `openLayoutDirectory` of `spindle/node`, for a tar `readLayoutTar`.
 *
 * Names are stored in `index.json`. A manifest pushed without a name is listed there too, unless an
 * index lists it. One store updates the index sequentially; two programs that write to a layout
 * concurrently overwrite each other's names.
 *
 * Methods reject with `ERR_NOT_FOUND`, `ERR_CONTENT_INVALID` for an invalid layout,
 * `ERR_DIGEST_MISMATCH`, and `ERR_UNSUPPORTED` for a layout of another version.
 * @see OCI Image Spec 1.1, Image Layout
 */
export function createLayoutStore(files: LayoutFiles): Store & WholeStore & ReferrerStore {
  const manifests = new Map<Digest, Manifest>()
  let last: Promise<unknown> = Promise.resolve()

  const readManifest = async (target: Descriptor): Promise<Manifest | undefined> => {
    const known = manifests.get(target.digest)
    if (known !== undefined) return known
    const body = await files.read(pathOf(target.digest))
    if (body === undefined || target.size > MAX_MANIFEST_BYTES) return undefined
    const manifest = parseManifest(
      await readVerified(body, target),
      target.mediaType,
      `the manifest ${target.digest}`,
    )
    manifests.set(target.digest, manifest)
    return manifest
  }

  /** Updates run one after another, each on the result of the previous one. */
  const update = (
    change: (entries: readonly Entry[]) => Promise<readonly Entry[]>,
  ): Promise<void> => {
    const next = last.then(async () => {
      const before = await readIndex(files)
      const after = await change(before ?? [])
      if (before === undefined)
        await files.write(LAYOUT_FILE, encodeUtf8('{"imageLayoutVersion":"1.0.0"}'))
      if (before === undefined || after !== before)
        await files.write(INDEX_FILE, formatIndex(after))
    })
    last = next.catch(() => {})
    return next
  }

  const list = async (target: Descriptor, name: string | undefined): Promise<void> => {
    const manifest = await readManifest(target)
    const parts = new Set(
      manifest?.kind === 'index' ? successorsOf(manifest).map(({ digest }) => digest) : [],
    )
    await update(async (entries) => {
      // Manifests without a name that this index lists are found through it from now on.
      let kept = entries.filter(
        (entry) => entry.name !== undefined || !parts.has(entry.descriptor.digest),
      )
      if (name === undefined) {
        const listed = entries.some((entry) => entry.descriptor.digest === target.digest)
        return listed && kept.length === entries.length
          ? entries
          : listed
            ? kept
            : [...kept, { descriptor: bare(target) }]
      }
      kept = kept.filter(
        (entry) =>
          entry.name !== name &&
          (entry.name !== undefined || entry.descriptor.digest !== target.digest),
      )
      return [...kept, { descriptor: bare(target), name }]
    })
  }

  return {
    async fetch(target, options = {}) {
      options.signal?.throwIfAborted()
      const body = await files.read(pathOf(target.digest))
      if (body === undefined) throw missing(target.digest)
      return verifyStream(openStream(body), target, options.createHasher)
    },
    async whole(target, { signal, createHasher } = {}) {
      const body = await files.read(pathOf(target.digest))
      if (body === undefined) throw missing(target.digest)
      return readVerified(body, target, signal, createHasher)
    },
    has: (target) => files.has(pathOf(target.digest)),
    async resolve(ref) {
      const entries = (await readIndex(files)) ?? []
      const found = entries.find((entry) =>
        isDigest(ref) ? entry.descriptor.digest === ref : entry.name === ref,
      )
      if (found !== undefined) return bare(found.descriptor)
      const part = isDigest(ref) ? await findPart(ref, entries, readManifest) : undefined
      if (part === undefined) throw missing(ref)
      return bare(part)
    },
    async push(
      expected: Descriptor,
      body: BodySource,
      options: OperationOptions & { tag?: string } = {},
    ) {
      const path = pathOf(expected.digest)
      const { signal } = options
      const writing = { signal }
      if (isManifestType(expected.mediaType)) {
        const bytes = await readVerified(body, expected, signal, options.createHasher)
        manifests.set(
          expected.digest,
          parseManifest(bytes, expected.mediaType, `the manifest ${expected.digest}`),
        )
        await files.write(path, bytes, writing)
        await list(expected, options.tag)
      } else {
        // Buffered if small: the portable streaming hasher is ten times slower than WebCrypto.
        const checked =
          expected.size <= BUFFERED_BYTES
            ? await readVerified(body, expected, signal, options.createHasher)
            : verifyStream(openStream(body), expected, options.createHasher)
        await files.write(path, checked, writing)
        if (options.tag !== undefined) await list(expected, options.tag)
      }
    },
    async tag(target, ref) {
      if (!(await files.has(pathOf(target.digest)))) throw missing(target.digest)
      await list(target, ref)
    },
    async *referrers(subject, { artifactType, signal } = {}) {
      const seen = new Set<Digest>()
      for (const { descriptor } of (await readIndex(files)) ?? []) {
        signal?.throwIfAborted()
        if (seen.has(descriptor.digest) || !isManifestType(descriptor.mediaType)) continue
        seen.add(descriptor.digest)
        const manifest = await readManifest(descriptor)
        if (manifest?.subject?.digest !== subject.digest) continue
        const referrer = referrerDescriptor(descriptor, manifest)
        if (artifactType === undefined || artifactType === referrer.artifactType) yield referrer
      }
    },
  }
}

/** Path of a blob. */
export function pathOf(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`
}

/** A manifest that only an index lists; one level deep, as indexes of applications are. */
async function findPart(
  digest: Digest,
  entries: readonly Entry[],
  readManifest: (target: Descriptor) => Promise<Manifest | undefined>,
): Promise<Descriptor | undefined> {
  for (const { descriptor } of entries) {
    const manifest = isManifestType(descriptor.mediaType)
      ? await readManifest(descriptor)
      : undefined
    const found =
      manifest?.kind === 'index'
        ? manifest.manifests.find((part) => part.digest === digest)
        : undefined
    if (found !== undefined) return found
  }
  return undefined
}

async function readIndex(files: LayoutFiles): Promise<readonly Entry[] | undefined> {
  const layout = await files.read(LAYOUT_FILE)
  if (layout === undefined) {
    if (await files.has(INDEX_FILE)) throw invalid(`it has ${INDEX_FILE}, but no ${LAYOUT_FILE}`)
    return undefined
  }
  const version = parseJson(await readBounded(layout, 4096, LAYOUT_FILE), LAYOUT_FILE)
  if (!isJsonObject(version) || version['imageLayoutVersion'] !== '1.0.0')
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'the version of this OCI layout is not 1.0.0: convert it with skopeo',
    )
  const body = await files.read(INDEX_FILE)
  if (body === undefined) return []
  const index = parseJson(await readBounded(body, MAX_INDEX_BYTES, INDEX_FILE), INDEX_FILE)
  const manifests = isJsonObject(index) ? index['manifests'] : undefined
  if (!Array.isArray(manifests)) throw invalid(`${INDEX_FILE} has no list of manifests`)
  return manifests.map((entry, i) => {
    const descriptor = parseDescriptor(entry, `manifests[${i}] of ${INDEX_FILE}`)
    const name = descriptor.annotations?.[REF_NAME]
    return name === undefined ? { descriptor } : { descriptor, name }
  })
}

function formatIndex(entries: readonly Entry[]): Uint8Array<ArrayBuffer> {
  // Sorted, so that concurrent pushes give the same bytes in any order.
  const keyOf = ({ descriptor, name = '' }: Entry): string => `${name} ${descriptor.digest}`
  const sorted = [...entries].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  const manifests = sorted.map(({ descriptor, name }) => {
    const { [REF_NAME]: _, ...others } = descriptor.annotations ?? {}
    const annotations = name === undefined ? others : { ...others, [REF_NAME]: name }
    return {
      ...descriptor,
      annotations: Object.keys(annotations).length === 0 ? undefined : annotations,
    }
  })
  return formatCanonicalJson({ schemaVersion: 2, mediaType: IMAGE_INDEX, manifests })
}

/** Without the annotations of an index entry, which are not those of the content. */
function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size }
}

function missing(what: string): SpindleError {
  return new SpindleError('ERR_NOT_FOUND', `the OCI layout has no ${what}`)
}

function invalid(problem: string): SpindleError {
  return new SpindleError('ERR_CONTENT_INVALID', `this is not an OCI layout: ${problem}`)
}
