import { cursorOver } from '../../bytes/cursor.ts'
import { gunzip } from '../../bytes/gzip.ts'
import { quotePath } from '../../bytes/path.ts'
import { chunksOf, streamOf } from '../../bytes/stream.ts'
import { readTar } from '../../bytes/untar.ts'
import { unzstd } from '../../bytes/zstd.ts'
import { SpindleError } from '../../errors.ts'
import { readContent } from '../../store/read-content.ts'
import type { Descriptor, FileTree, OperationOptions, ReadStore } from '../../types.ts'

/** Links followed on the way to one file; as Linux. */
const MAX_LINKS = 40
/** Longest path: Linux ends at 4096 bytes. */
const MAX_PATH = 4096
/** Folders in a path: no toolchain makes so many. */
const MAX_DEPTH = 100

const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'

interface ImageFilesOptions extends OperationOptions {
  /** Most bytes of all layers, packed and unpacked. */
  readonly maxBytes: number
  /** Most entries of all layers. Default 200000. */
  readonly maxFiles?: number | undefined
}

/** As of an archive: no application has so many. */
const MAX_FILES = 200_000

type Node = Folder | { readonly kind: 'file'; readonly bytes: Uint8Array } | SymbolicLink

interface Folder {
  readonly kind: 'folder'
  readonly entries: Map<string, Node>
}

interface SymbolicLink {
  readonly kind: 'link'
  readonly target: string
}

/**
 * The files of a container image, as a container would see them: its layers one over the other,
 * with what they delete, and links that can't leave the image.
 *
 * Rejects with `ERR_CONTENT_INVALID` for damaged layers and paths that lead out,
 * `ERR_DIGEST_MISMATCH`, and `ERR_LIMIT_EXCEEDED`.
 *
 * @see {@link https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md OCI Image Spec, Image Layer Filesystem Changeset}
 */
export async function readImageFiles(
  layers: readonly Descriptor[],
  store: ReadStore,
  options: ImageFilesOptions,
): Promise<FileTree> {
  const { maxBytes, maxFiles = MAX_FILES } = options
  const limits = { bytes: maxBytes, entries: maxFiles, maxBytes, maxFiles }
  const root: Folder = { kind: 'folder', entries: new Map() }
  spendBytes(
    limits,
    layers.reduce((sum, { size }) => sum + size, 0),
  )
  limits.bytes = maxBytes
  for (const layer of layers) await applyLayer(root, layer, store, limits, options)
  limits.entries = maxFiles
  const files = new Map<string, Uint8Array>()
  collectFiles(root, root, '', files, limits, false)
  return files
}

interface Limits {
  bytes: number
  entries: number
  readonly maxBytes: number
  readonly maxFiles: number
}

function spendBytes(limits: Limits, bytes: number): void {
  if ((limits.bytes -= bytes) < 0)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the image's layers are more than ${limits.maxBytes} bytes`,
      { remedy: { option: 'maxBytes', advice: 'raise % if you trust the source' } },
    )
}

function spendEntry(limits: Limits): void {
  if (--limits.entries < 0)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the image has more than ${limits.maxFiles} files and folders`,
      { remedy: { option: 'maxFiles', advice: 'raise % if you trust the source' } },
    )
}

async function applyLayer(
  root: Folder,
  layer: Descriptor,
  store: ReadStore,
  limits: Limits,
  { signal, createHasher, onProgress }: ImageFilesOptions,
): Promise<void> {
  const what = `the layer ${layer.digest}`
  onProgress?.({ type: 'blob', descriptor: layer, status: 'active', loaded: 0 })
  // Whole, so that nothing is looked at before its digest is known to fit.
  const packed = await readContent(store, layer, { signal, createHasher })
  const unpacked = unpack(packed, { maxBytes: limits.maxBytes, what }, signal)
  /** What this layer put there: it deletes only what is below. */
  const own = new Set<Node>()
  for await (const entry of readTar(cursorOver(unpacked), {
    what,
    maxBytes: limits.maxBytes,
    maxEntries: limits.maxFiles,
  })) {
    signal?.throwIfAborted()
    spendEntry(limits)
    spendBytes(limits, entry.size)
    const parts = partsOf(entry.path, what)
    const name = parts.pop()
    if (name === undefined) continue
    const parent = folderAt(root, parts, what, own)
    if (name === OPAQUE) {
      for (const [known, node] of parent.entries) if (!own.has(node)) parent.entries.delete(known)
      continue
    }
    if (name.startsWith(WHITEOUT)) {
      const hidden = name.slice(WHITEOUT.length)
      const node = parent.entries.get(hidden)
      if (node !== undefined && !own.has(node)) parent.entries.delete(hidden)
      continue
    }
    const existing = parent.entries.get(name)
    if (entry.kind === 'directory') {
      if (existing?.kind === 'folder') own.add(existing)
      else put(parent, name, { kind: 'folder', entries: new Map() }, own)
    } else if (entry.kind === 'file') {
      put(parent, name, { kind: 'file', bytes: await entry.bytes() }, own)
    } else if (entry.link?.isSymbolic === true) {
      put(parent, name, { kind: 'link', target: entry.link.target }, own)
    } else if (entry.link !== undefined) {
      const target = partsOf(entry.link.target, what)
      const last = target.pop() ?? ''
      const found = find(root, target)
      const node = found?.kind === 'folder' ? found.entries.get(last) : undefined
      if (node === undefined || node.kind === 'folder')
        throw broken(what, `${quotePath(entry.path)} is a link to a file that is not there`)
      put(parent, name, { ...node }, own)
    }
  }
  onProgress?.({ type: 'blob', descriptor: layer, status: 'done', loaded: layer.size })
}

function put(parent: Folder, name: string, node: Node, own: Set<Node>): void {
  parent.entries.set(name, node)
  own.add(node)
}

function broken(what: string, problem: string): SpindleError {
  return new SpindleError('ERR_CONTENT_INVALID', `${what}: ${problem}`)
}

/** The names in a path of an archive, which must stay in the image. */
function partsOf(path: string, what: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (
    path.length > MAX_PATH ||
    parts.length > MAX_DEPTH ||
    parts.includes('..') ||
    path.includes('\0')
  )
    throw broken(what, `the path ${quotePath(path)} leads out of the image, or is too long`)
  return parts
}

/** The folder for an entry, made where no entry of its own did. */
function folderAt(root: Folder, parts: readonly string[], what: string, own: Set<Node>): Folder {
  let folder = root
  for (const [index, part] of parts.entries()) {
    const node = folder.entries.get(part)
    if (node?.kind === 'folder') {
      folder = node
      continue
    }
    if (node?.kind === 'link') {
      const found = find(root, parts.slice(0, index + 1))
      if (found?.kind !== 'folder')
        throw broken(what, `${quotePath(parts.join('/'))} is below a link that leads to no folder`)
      folder = found
      continue
    }
    // A file in its place goes: the layer says that there is a folder.
    const made: Folder = { kind: 'folder', entries: new Map() }
    put(folder, part, made, own)
    folder = made
  }
  return folder
}

/** What a path leads to, links followed; above the top of the image is its top. */
function find(root: Folder, path: readonly string[]): Node | undefined {
  const left = [...path]
  const above: Folder[] = [root]
  let links = 0
  while (left.length > 0) {
    const part = left.shift() as string
    const folder = above.at(-1) as Folder
    if (part === '' || part === '.') continue
    if (part === '..') {
      if (above.length > 1) above.pop()
      continue
    }
    const node = folder.entries.get(part)
    if (node === undefined) return undefined
    if (node.kind === 'folder') above.push(node)
    else if (node.kind === 'file') return left.length === 0 ? node : undefined
    else {
      if (++links > MAX_LINKS || node.target === '' || node.target.length > MAX_PATH)
        return undefined
      if (node.target.startsWith('/')) above.length = 1
      left.unshift(...node.target.split('/'))
    }
  }
  return above.at(-1)
}

/**
 * All files by path. A link to a folder has the files of that folder too, but none that are behind
 * further links to folders: those may go round in circles.
 */
function collectFiles(
  root: Folder,
  folder: Folder,
  prefix: string,
  into: Map<string, Uint8Array>,
  limits: Limits,
  isLinked: boolean,
): void {
  if (prefix.length > MAX_PATH) throw broken('the image', 'it has a path that is too long')
  for (const [name, node] of folder.entries) {
    spendEntry(limits)
    const path = `${prefix}${name}`
    const found = node.kind === 'link' ? find(root, path.split('/')) : node
    if (found?.kind === 'file') into.set(path, found.bytes)
    else if (found?.kind === 'folder' && (found === node || !isLinked))
      collectFiles(root, found, `${path}/`, into, limits, isLinked || found !== node)
  }
}

/** By its first bytes, as container runtimes do: media types are often wrong. */
function unpack(
  packed: Uint8Array,
  options: { readonly maxBytes: number; readonly what: string },
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const chunks = chunksOf(streamOf(packed), signal)
  const [first, second, third, fourth] = packed
  if (first === 0x1f && second === 0x8b) return gunzip(chunks, options)
  const isZstd = first === 0x28 && second === 0xb5 && third === 0x2f && fourth === 0xfd
  return isZstd ? unzstd(chunks, options) : chunks
}
