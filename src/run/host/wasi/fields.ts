import { encodeUtf8 } from '../../../bytes/text.ts'
import type { HeaderPairs } from '../../../http/wire.ts'
import type { Ledger } from '../../budget.ts'
import type { HostInterface } from '../../component/abi/items.ts'
import { err, ok, type Result } from './result.ts'

/** HTTP fields in order, names as written, values as bytes. */
export interface Fields {
  entries: Array<readonly [name: string, value: Uint8Array]>
  readonly mutable: boolean
  /** Bytes charged for them. */
  held?: number
}

// Overhead per field besides name and value: 280 bytes measured.
const FIELD_BYTES = 320

function bytesOfFields({ entries }: Pick<Fields, 'entries'>): number {
  return entries.reduce(
    (sum, [name, value]) => sum + FIELD_BYTES + 2 * name.length + value.length,
    0,
  )
}

/** Adjusts the charge of fields to their current size. */
export function chargeFields(ledger: Ledger, fields: Fields): Fields {
  const bytes = bytesOfFields(fields)
  const before = fields.held ?? 0
  if (bytes > before) ledger.charge(bytes - before)
  else ledger.release(before - bytes)
  fields.held = bytes
  return fields
}

/** Releases the charge of fields. Idempotent: their owner can be dropped later. */
export function releaseFields(ledger: Ledger, fields: Fields): void {
  ledger.release(fields.held ?? 0)
  fields.held = 0
}

// Connection-specific fields, which only the host sets. The same list as Wasmtime's wasi:http.
const FORBIDDEN: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'host',
  'http2-settings',
])

// Fields per message; bounds the memory of the host and of the recipient.
export const MAX_FIELDS = 10_000
// Names and values together; the limit of Wasmtime.
export const MAX_FIELD_BYTES: number = 128 * 1024

/** Whether fields fit the limits of one message, by number and by bytes. */
export function fitsMessage(
  entries: ReadonlyArray<readonly [name: string, value: ArrayLike<unknown>]>,
): boolean {
  const bytes = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  return entries.length <= MAX_FIELDS && bytes <= MAX_FIELD_BYTES
}

/** Whether a field is connection-specific, and so not copied from one message to another. */
export function isForbiddenField(name: string): boolean {
  return FORBIDDEN.has(name.toLowerCase())
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function isValue(value: Uint8Array): boolean {
  // No control characters except tab: a line break would inject a header.
  return value.every((byte) => byte === 9 || (byte >= 32 && byte !== 127))
}

/** Returns why a field cannot be set, or `undefined` when it can. */
export function fieldProblem(
  name: string,
  value: Uint8Array,
): 'invalid-syntax' | 'forbidden' | undefined {
  if (!TOKEN.test(name) || !isValue(value)) return 'invalid-syntax'
  return isForbiddenField(name) ? 'forbidden' : undefined
}

export function fieldsOf(headers: Iterable<readonly [string, string]>): Fields {
  return {
    entries: Array.from(headers, ([name, value]) => [name, latin1(value)] as const),
    mutable: false,
  }
}

/** Encodes a header value. `Headers` carry bytes as characters up to U+00FF; values with other characters are encoded as UTF-8. */
export function latin1(text: string): Uint8Array {
  if (/[\u0100-\uffff]/.test(text)) return encodeUtf8(text)
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** Name and value pairs without connection-specific fields: a guest can forward the fields it received. */
export function pairsOfFields({ entries }: Pick<Fields, 'entries'>): HeaderPairs {
  return entries
    .filter(([name]) => !isForbiddenField(name))
    .map(([name, value]) => [name, binary(value)] as const)
}

export function binary(value: Uint8Array): string {
  let text = ''
  // In chunks: appending single characters builds a rope with one node per character.
  for (let i = 0; i < value.length; i += 4096)
    text += String.fromCharCode(...value.subarray(i, i + 4096))
  return text
}

function is(name: string): (entry: readonly [string, Uint8Array]) => boolean {
  const wanted = name.toLowerCase()
  return ([given]) => given.toLowerCase() === wanted
}

function change(
  ledger: Ledger,
  fields: Fields,
  name: string,
  values: readonly Uint8Array[],
  keep: boolean,
): Result {
  if (!fields.mutable) return err({ tag: 'immutable' })
  for (const value of values) {
    const problem = fieldProblem(name, value)
    if (problem !== undefined) return err({ tag: problem })
  }
  if (!TOKEN.test(name)) return err({ tag: 'invalid-syntax' })
  const kept = keep ? fields.entries : fields.entries.filter((entry) => !is(name)(entry))
  const added = values.map((value) => [name, value] as const)
  const entries = [...kept, ...added]
  if (values.length > 0 && !fitsMessage(entries)) return err({ tag: 'invalid-syntax' })
  if (keep) {
    const bytes = bytesOfFields({ entries: added })
    ledger.charge(bytes)
    fields.held = (fields.held ?? 0) + bytes
    fields.entries = entries
    return ok()
  }
  fields.entries = entries
  chargeFields(ledger, fields)
  return ok()
}

function fromList(
  ledger: Ledger,
  entries: ReadonlyArray<readonly [string, Uint8Array]>,
): Result<Fields> {
  const fields: Fields = { entries: [], mutable: true }
  for (const [name, value] of entries) {
    const added = change(ledger, fields, name, [value], true)
    if (added.tag === 'err') {
      releaseFields(ledger, fields)
      return added as Result<Fields>
    }
  }
  return ok(fields) as Result<Fields>
}

/** Copies fields for another owner, and charges the copy. */
export function copyFields(ledger: Ledger, { entries }: Fields, mutable: boolean): Fields {
  return chargeFields(ledger, { entries, mutable })
}

/** The functions of the resource `fields`; `ledger` is charged for their contents. */
export function createFieldsFunctions(ledger: Ledger): HostInterface['functions'] {
  return {
    // The October 2023 draft passes the entries here and has no error result.
    '[constructor]fields': (entries?: ReadonlyArray<readonly [string, Uint8Array]>): Fields => {
      const made = fromList(ledger, entries ?? [])
      return made.tag === 'ok' ? (made.val as Fields) : { entries: [], mutable: true }
    },
    '[static]fields.from-list': (entries: ReadonlyArray<readonly [string, Uint8Array]>) =>
      fromList(ledger, entries),
    '[method]fields.get': (fields: Fields, name: string) =>
      fields.entries.filter(is(name)).map(([, value]) => value),
    '[method]fields.has': (fields: Fields, name: string) => fields.entries.some(is(name)),
    '[method]fields.set': (fields: Fields, name: string, values: readonly Uint8Array[]) =>
      change(ledger, fields, name, values, false),
    '[method]fields.delete': (fields: Fields, name: string) =>
      change(ledger, fields, name, [], false),
    '[method]fields.append': (fields: Fields, name: string, value: Uint8Array) =>
      change(ledger, fields, name, [value], true),
    '[method]fields.entries': (fields: Fields) => fields.entries,
    '[method]fields.clone': (fields: Fields): Fields => copyFields(ledger, fields, true),
    '[resource-drop]fields': (fields: Fields) => releaseFields(ledger, fields),
  }
}
