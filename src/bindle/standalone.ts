import { SpindleError } from '../errors.ts'
import { documentBytes } from '../bytes/document-limits.ts'
import { cursorOver } from '../bytes/cursor.ts'
import { gunzip, gzip } from '../bytes/gzip.ts'
import { normalizePath, quotePath } from '../bytes/path.ts'
import { chunksOf, openStream, readBounded } from '../bytes/stream.ts'
import { writeTar } from '../bytes/tar.ts'
import { readTar } from '../bytes/untar.ts'
import type { BodySource, Content, FileTree, OperationOptions } from '../types.ts'
import { type BindleId, canonicalName, createBindleId } from './id.ts'
import { formatInvoice, type Invoice, type Label, parseInvoice } from './invoice.ts'

/**
 * A bindle with its parcels in hand: what a server would hold, without one.
 *
 * Exported from `spindle/bindle`.
 */
export interface StandaloneBindle {
  readonly id: BindleId
  readonly invoice: Invoice
  /** By SHA-256. Some may be absent: a standalone bindle may be partial. Unchecked until read by a label. */
  readonly parcels: ReadonlyMap<string, Uint8Array | Content>
}

export interface StandaloneOptions extends OperationOptions {
  /** Most bytes to unpack from a tarball. Default 1 GiB. */
  maxBytes?: number
  /** Most entries of a tarball. Default 200000. */
  maxFiles?: number
  /** Most keys of the invoice. Default 160 000: some 11 000 parcels. */
  maxKeys?: number | undefined
}

const MAX_BYTES = 1024 * 1024 * 1024
const PARCEL_PATH = /^parcels\/([0-9a-f]{64})\.dat$/

/** What `spin bindle prepare` leaves beside the bindle: scratch, not part of it. */
const SCRATCH = /^(?:downloads|manifests)\//

/**
 * The files of a standalone bindle, in the one folder that its id gives its name.
 *
 * Exported from `spindle/bindle`.
 *
 * @example What `bindle push -p DIR NAME/VERSION` takes
 * ```ts
 * for (const [path, content] of await formatStandalone(bindle)) await write(path, content)
 * ```
 * @throws `ERR_CONTENT_INVALID` for a parcel that the invoice doesn't list.
 * @see Bindle, Standalone Bindle Specification
 */
export async function formatStandalone(bindle: StandaloneBindle): Promise<FileTree> {
  const listed = new Set((bindle.invoice.parcel ?? []).map((parcel) => parcel.label.sha256))
  const folder = await canonicalName(bindle.id)
  const files = new Map<string, Uint8Array | Content>()
  files.set(`${folder}/invoice.toml`, formatInvoice(bindle.invoice))
  for (const sha256 of [...bindle.parcels.keys()].sort()) {
    if (!listed.has(sha256))
      throw new SpindleError(
        'ERR_CONTENT_INVALID',
        `the parcel ${sha256} is not in the invoice of ${bindle.id}`,
      )
    files.set(`${folder}/parcels/${sha256}.dat`, bindle.parcels.get(sha256) as Uint8Array | Content)
  }
  return files
}

/**
 * A standalone bindle as a gzipped tar, the same bytes for the same bindle everywhere.
 *
 * Exported from `spindle/bindle`. Save it as `<canonical name>.tar.gz`.
 */
export async function* packStandalone(
  bindle: StandaloneBindle,
  options: OperationOptions = {},
): AsyncGenerator<Uint8Array> {
  const files = await formatStandalone(bindle)
  yield* gzip(
    writeTar(
      [...files].map(([path, content]) => ({ path, content })),
      options.signal,
    ),
  )
}

/**
 * Reads a standalone bindle out of its files.
 *
 * Exported from `spindle/bindle`. The tree may be the bindle's folder, the one above it, or, with
 * `id`, one of several in it.
 * @throws `ERR_NOT_FOUND`, `ERR_CONTENT_INVALID` when the folder's name is not that of the invoice,
 * `ERR_LIMIT_EXCEEDED`
 */
export async function parseStandalone(
  tree: FileTree,
  id?: BindleId,
  options: Pick<StandaloneOptions, 'maxKeys'> = {},
): Promise<StandaloneBindle> {
  const folder = await findFolder(tree, id)
  const prefix = folder === '' ? '' : `${folder}/`
  const file = tree.get(`${prefix}invoice.toml`)
  if (file === undefined)
    throw new SpindleError(
      'ERR_NOT_FOUND',
      `there is no ${prefix}invoice.toml: this is no standalone bindle${id === undefined ? '' : ` ${id}`}`,
    )
  const invoice = parseInvoice(
    await readBounded(file, documentBytes(options.maxKeys), `${prefix}invoice.toml`),
    `${prefix}invoice.toml`,
    'toml',
    { maxKeys: options.maxKeys },
  )
  const found = createBindleId(invoice.bindle.name, invoice.bindle.version)
  if (id !== undefined && String(id) !== String(found))
    throw new SpindleError('ERR_CONTENT_INVALID', `the invoice is that of ${found}, not of ${id}`)
  if (/^[0-9a-f]{64}$/.test(folder) && folder !== (await canonicalName(found))) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the folder ${folder} holds the invoice of ${found}, whose folder has another name: it was renamed or tampered with`,
    )
  }
  const listed = new Map(
    (invoice.parcel ?? []).map((parcel) => [parcel.label.sha256, parcel.label]),
  )
  const parcels = new Map<string, Uint8Array | Content>()
  for (const [path, content] of tree) {
    if (!path.startsWith(`${prefix}parcels/`)) continue
    const sha256 = PARCEL_PATH.exec(path.slice(prefix.length))?.[1]
    const label: Label | undefined = sha256 === undefined ? undefined : listed.get(sha256)
    if (sha256 === undefined || label === undefined)
      throw new SpindleError(
        'ERR_CONTENT_INVALID',
        `${quotePath(path)} is no parcel that the invoice of ${found} lists`,
      )
    parcels.set(sha256, content)
  }
  return { id: found, invoice, parcels }
}

async function findFolder(tree: FileTree, id: BindleId | undefined): Promise<string> {
  if (tree.has('invoice.toml')) return ''
  if (id !== undefined) return canonicalName(id)
  const folders = new Set(
    [...tree.keys()]
      .filter((path) => !SCRATCH.test(path) && path.includes('/'))
      .map((path) => path.slice(0, path.indexOf('/'))),
  )
  const [only, ...more] = folders
  if (only === undefined || more.length > 0) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `a standalone bindle is in one folder; there are ${folders.size} here: name the id of the one that is meant`,
    )
  }
  return only
}

/**
 * Reads a standalone bindle out of a gzipped tar. Nothing in it can lead out of its folder: paths
 * are checked, links refused.
 *
 * Exported from `spindle/bindle`.
 * @throws as `parseStandalone`; `ERR_LIMIT_EXCEEDED` above `maxBytes`
 */
export async function unpackStandalone(
  tarball: BodySource,
  options: StandaloneOptions = {},
): Promise<StandaloneBindle> {
  const what = 'the standalone bindle'
  const { maxBytes = MAX_BYTES, maxFiles, signal } = options
  const cursor = cursorOver(gunzip(chunksOf(openStream(tarball), signal), { maxBytes, what }))
  const files = new Map<string, Uint8Array>()
  try {
    for await (const entry of readTar(cursor, { what, maxBytes, maxEntries: maxFiles })) {
      if (entry.kind === 'directory') continue
      if (entry.kind !== 'file')
        throw new SpindleError(
          'ERR_CONTENT_INVALID',
          `${what} has ${quotePath(entry.path)}, which is a link or a device; only files belong in it`,
        )
      const result = normalizePath(entry.path)
      if ('problem' in result)
        throw new SpindleError(
          'ERR_CONTENT_INVALID',
          `${what} has the path ${quotePath(entry.path)}, which ${result.problem}`,
        )
      if (files.has(result.path))
        throw new SpindleError('ERR_CONTENT_INVALID', `${what} has ${quotePath(result.path)} twice`)
      files.set(result.path, await entry.bytes())
    }
  } finally {
    await cursor.close()
  }
  return parseStandalone(files, undefined, options)
}
