import type { BindleId } from '../../bindle/id.ts'
import { createBindleId } from '../../bindle/id.ts'
import { type Invoice, type Label, parseInvoice } from '../../bindle/invoice.ts'
import { mapBounded } from '../../bytes/concurrency.ts'
import { createPortableHasher } from '../../bytes/digest.ts'
import { readBounded } from '../../bytes/stream.ts'
import type { CreateHasher } from '../../types.ts'
import { MAX_KEY_LENGTH, listAll, type Storage, type StoredValue } from '../storage/port.ts'
import { BindleProblem, NOT_FOUND } from './answer.ts'
import { createParcels } from './parcels.ts'

export const INVOICES_PREFIX = 'bindle/invoices/'
export const YANKED_PREFIX = 'bindle/yanked/'

/** Concurrent look-ups of one request. */
const LOOKUPS = 16

/**
 * Size of the cache of parsed invoices, in invoices and in bytes of TOML: every parcel of a push needs the
 * invoice, which can list thousands.
 */
const KEPT_INVOICES = 32
const KEPT_BYTES = 16 * 1024 * 1024

/** Stored invoices and parcels, each written atomically and only once. */
export interface BindleShelf {
  /** Stores an invoice, formatted by `formatInvoice`. @throws 409 when it exists, yanked or not. */
  readonly create: (id: BindleId, invoice: Uint8Array) => Promise<void>
  /** Reads an invoice; `undefined` when it does not exist. */
  readonly invoice: (id: BindleId) => Promise<Invoice | undefined>
  /** Yanks an invoice. Irreversible and idempotent. */
  readonly yank: (id: BindleId) => Promise<void>
  /** Lists all ids without reading the invoices. */
  readonly list: () => Promise<ListedInvoice[]>
  /** Labels of missing parcels, in the order of the invoice. Existing parcels are kept from then on. */
  readonly missing: (invoice: Invoice) => Promise<Label[]>
  readonly parcel: (sha256: string) => Promise<StoredValue | undefined>
  /** @throws 400 when the bytes do not match the label, 409 when the parcel exists. */
  readonly putParcel: (label: Label, body: ReadableStream<Uint8Array>) => Promise<void>
}

/** An invoice in a list. */
export interface ListedInvoice {
  readonly id: BindleId
  readonly yanked: boolean
}

/** Creates the invoices and parcels over a storage. */
export function createShelf(
  storage: Storage,
  createHasher: CreateHasher = createPortableHasher,
): BindleShelf {
  // Yanking writes a separate marker, so that invoices stay immutable and concurrent writes cannot conflict.
  const isYanked = async (id: BindleId): Promise<boolean> =>
    (await storage.head(invoiceKey('yanked', id))) !== undefined

  const cache = createInvoiceCache()
  const parcels = createParcels(storage, createHasher)

  return {
    async create(id, invoice) {
      const result = await storage.put(invoiceKey('invoices', id), invoice, { ifAbsent: true })
      if (!result.stored) throw new BindleProblem(409, 'resource already exists')
    },
    async invoice(id) {
      const key = tryKey('invoices', id)
      if (key === undefined) return undefined
      let invoice = cache.get(key)
      if (invoice === undefined) {
        const found = await readStoredInvoice(storage, key)
        if (found === undefined) return undefined
        invoice = found.invoice
        cache.set(key, invoice, found.bytes)
      }
      return (await isYanked(id)) ? { ...invoice, yanked: true } : invoice
    },
    async yank(id) {
      await storage.put(invoiceKey('yanked', id), new Uint8Array(), { ifAbsent: true })
    },
    async list() {
      const [ids, yanked] = await Promise.all([
        listKeys(storage, INVOICES_PREFIX),
        listKeys(storage, YANKED_PREFIX),
      ])
      const markers = new Set(yanked)
      return ids.map((path) => ({ id: decodePath(path), yanked: markers.has(path) }))
    },
    async missing(invoice) {
      const labels = (invoice.parcel ?? []).map((parcel) => parcel.label)
      const shas = [...new Set(labels.map((label) => label.sha256))]
      const exists = await mapBounded(shas, LOOKUPS, parcels.hold)
      const absent = new Set(shas.filter((_, index) => exists[index] === false))
      return labels.filter((label) => absent.has(label.sha256))
    },
    parcel: parcels.get,
    putParcel: parcels.put,
  }
}

/** Reads an invoice and the size of its TOML; `undefined` when it does not exist. */
export async function readStoredInvoice(
  storage: Storage,
  key: string,
): Promise<{ readonly invoice: Invoice; readonly bytes: number } | undefined> {
  const found = await storage.get(key)
  if (found === undefined) return undefined
  const bytes = await readBounded(found.body, Infinity, 'a stored invoice')
  // Without limits: an accepted invoice stays readable when a limit is lowered.
  const invoice = parseInvoice(bytes, `the stored invoice ${key}`, 'toml', {
    maxKeys: Infinity,
  })
  return { invoice, bytes: bytes.length }
}

/** A cache of the most recently used invoices. They are immutable, so entries never become stale. */
function createInvoiceCache(): {
  get: (key: string) => Invoice | undefined
  set: (key: string, invoice: Invoice, bytes: number) => void
} {
  const kept = new Map<string, { readonly invoice: Invoice; readonly bytes: number }>()
  let total = 0
  return {
    get(key) {
      const found = kept.get(key)
      if (found === undefined) return undefined
      // Insert again: maps iterate in insertion order, so the first entry is the least recently used.
      kept.delete(key)
      kept.set(key, found)
      return found.invoice
    },
    set(key, invoice, bytes) {
      total += bytes - (kept.get(key)?.bytes ?? 0)
      kept.delete(key)
      kept.set(key, { invoice, bytes })
      for (const [oldest, { bytes: freed }] of kept) {
        if (kept.size <= KEPT_INVOICES && total <= KEPT_BYTES) break
        kept.delete(oldest)
        total -= freed
      }
    },
  }
}

/** The key contains name and version, so that queries need no index. */
function invoiceKey(kind: 'invoices' | 'yanked', id: BindleId): string {
  const key = `bindle/${kind}/${encodeName(id.name)}/${encodeName(id.version)}`
  if (key.length > MAX_KEY_LENGTH)
    throw new BindleProblem(
      400,
      `invalid ID given: it is longer than ${MAX_KEY_LENGTH} bytes when percent-encoded`,
    )
  return key
}

function tryKey(kind: 'invoices' | 'yanked', id: BindleId): string | undefined {
  try {
    return invoiceKey(kind, id)
  } catch (error) {
    if (error instanceof BindleProblem) return undefined
    throw error
  }
}

// The leading `~` prevents the key parts `.` and `..`.
function encodeName(name: string): string {
  return `~${encodeURIComponent(name).replaceAll(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)}`
}

function decodePath(path: string): BindleId {
  const [name = '', version = ''] = path.split('/').map((part) => decodeURIComponent(part.slice(1)))
  return createBindleId(name, version)
}

/** The keys without the prefix; equal for an invoice and its yank marker. */
export async function listKeys(storage: Storage, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of listAll(storage, prefix)) keys.push(key.slice(prefix.length))
  return keys
}

/** @throws 404 for `undefined`. */
export function assertFound<T>(found: T | undefined): T {
  if (found === undefined) throw new BindleProblem(404, NOT_FOUND)
  return found
}
