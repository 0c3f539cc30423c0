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

/** Look-ups that one request makes at once. */
const LOOKUPS = 16

/**
 * Invoices kept parsed, and the bytes that they were parsed from at most: each parcel of a push asks
 * for its invoice, which may list thousands.
 */
const KEPT_INVOICES = 32
const KEPT_BYTES = 16 * 1024 * 1024

/** Invoices and parcels over a storage: each written once, whole or not at all. */
export interface BindleShelf {
  /** Keeps an invoice as `formatInvoice` writes it. @throws 409 when it exists, yanked or not */
  readonly create: (id: BindleId, invoice: Uint8Array) => Promise<void>
  /** `undefined` when there is none. */
  readonly invoice: (id: BindleId) => Promise<Invoice | undefined>
  /** Irreversible, and harmless when done already. */
  readonly yank: (id: BindleId) => Promise<void>
  /** All ids, and whether each is yanked. Nothing of the invoices is read. */
  readonly list: () => Promise<ListedInvoice[]>
  /** Labels whose parcel isn't here, in the order of the invoice, one for each entry. The others stay. */
  readonly missing: (invoice: Invoice) => Promise<Label[]>
  readonly parcel: (sha256: string) => Promise<StoredValue | undefined>
  /** @throws 400 when the bytes don't fit the label, 409 when they are here */
  readonly putParcel: (label: Label, body: ReadableStream<Uint8Array>) => Promise<void>
}

export interface ListedInvoice {
  readonly id: BindleId
  readonly yanked: boolean
}

export function createShelf(
  storage: Storage,
  createHasher: CreateHasher = createPortableHasher,
): BindleShelf {
  // A mark of its own in place of a rewrite: invoices never change, so nothing can be lost in a race.
  const isYanked = async (id: BindleId): Promise<boolean> =>
    (await storage.head(invoiceKey('yanked', id))) !== undefined

  const kept = createInvoiceCache()
  const parcels = createParcels(storage, createHasher)

  return {
    async create(id, invoice) {
      const result = await storage.put(invoiceKey('invoices', id), invoice, { ifAbsent: true })
      if (!result.stored) throw new BindleProblem(409, 'resource already exists')
    },
    async invoice(id) {
      const key = tryKey('invoices', id)
      if (key === undefined) return undefined
      let invoice = kept.get(key)
      if (invoice === undefined) {
        const found = await readStoredInvoice(storage, key)
        if (found === undefined) return undefined
        invoice = found.invoice
        kept.set(key, invoice, found.bytes)
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
      const marks = new Set(yanked)
      return ids.map((path) => ({ id: decodePath(path), yanked: marks.has(path) }))
    },
    async missing(invoice) {
      const labels = (invoice.parcel ?? []).map((parcel) => parcel.label)
      const shas = [...new Set(labels.map((label) => label.sha256))]
      const there = await mapBounded(shas, LOOKUPS, parcels.hold)
      const absent = new Set(shas.filter((_, index) => there[index] === false))
      return labels.filter((label) => absent.has(label.sha256))
    },
    parcel: parcels.get,
    putParcel: parcels.put,
  }
}

/** An invoice, and the bytes that it was parsed from; `undefined` when there is none. */
export async function readStoredInvoice(
  storage: Storage,
  key: string,
): Promise<{ readonly invoice: Invoice; readonly bytes: number } | undefined> {
  const found = await storage.get(key)
  if (found === undefined) return undefined
  const bytes = await readBounded(found.body, Infinity, 'a stored invoice')
  // What was accepted stays readable, whatever limit there is now.
  const invoice = parseInvoice(bytes, `the stored invoice ${key}`, 'toml', {
    maxKeys: Infinity,
  })
  return { invoice, bytes: bytes.length }
}

/** The invoices that were asked for last. They never change, so none can be out of date. */
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
      // Maps keep the order of insertion: the one asked for last goes last.
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

/** Keys hold name and version readably, so that a query needs no index. */
function invoiceKey(kind: 'invoices' | 'yanked', id: BindleId): string {
  const key = `bindle/${kind}/${encodeName(id.name)}/${encodeName(id.version)}`
  if (key.length > MAX_KEY_LENGTH)
    throw new BindleProblem(
      400,
      `invalid ID given: it is longer than this server can file, ${MAX_KEY_LENGTH} bytes once encoded`,
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

// A leading `~` keeps `.` and `..` from being whole names of a key.
function encodeName(name: string): string {
  return `~${encodeURIComponent(name).replaceAll(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)}`
}

function decodePath(path: string): BindleId {
  const [name = '', version = ''] = path.split('/').map((part) => decodeURIComponent(part.slice(1)))
  return createBindleId(name, version)
}

/** What follows the prefix. The same for an invoice and the mark that it is yanked. */
export async function listKeys(storage: Storage, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of listAll(storage, prefix)) keys.push(key.slice(prefix.length))
  return keys
}

/** What a parcel operation answers for an invoice that isn't there. */
export function assertFound<T>(found: T | undefined): T {
  if (found === undefined) throw new BindleProblem(404, NOT_FOUND)
  return found
}
