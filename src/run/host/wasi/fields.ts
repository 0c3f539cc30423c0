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

// What a field takes beside its name and value: measured are 280 bytes.
const FIELD_BYTES = 320

function bytesOfFields({ entries }: Pick<Fields, 'entries'>): number {
  return entries.reduce(
    (sum, [name, value]) => sum + FIELD_BYTES + 2 * name.length + value.length,
    0,
  )
}

/** Charges fields for what they have come to. */
export function chargeFields(ledger: Ledger, fields: Fields): Fields {
  const bytes = bytesOfFields(fields)
  const before = fields.held ?? 0
  if (bytes > before) ledger.charge(bytes - before)
  else ledger.release(before - bytes)
  fields.held = bytes
  return fields
}

/** Fields that are gone. Once: who owned them may be dropped later. */
export function releaseFields(ledger: Ledger, fields: Fields): void {
  ledger.release(fields.held ?? 0)
  fields.held = 0
}

// Fields of the connection, which only the host sets. The same list as in Wasmtime's wasi:http.
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

// A message with more is a mistake or an attack on whoever reads it, and on the host that holds it.
export const MAX_FIELDS = 10_000
// As Wasmtime has it, names and values together.
export const MAX_FIELD_BYTES: number = 128 * 1024

/** Whether one message may have so many fields, as text or as bytes. */
export function fitsMessage(
  entries: ReadonlyArray<readonly [name: string, value: ArrayLike<unknown>]>,
): boolean {
  const bytes = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  return entries.length <= MAX_FIELDS && bytes <= MAX_FIELD_BYTES
}

/** Whether a field belongs to the connection: it is not passed from one message to another. */
export function isForbiddenField(name: string): boolean {
  return FORBIDDEN.has(name.toLowerCase())
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function isValue(value: Uint8Array): boolean {
  // No control characters but tab: a line break would start a header of the guest's own making.
  return value.every((byte) => byte === 9 || (byte >= 32 && byte !== 127))
}

/** Why a field can't be set, if it can't. */
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

/** `Headers` carry bytes as characters up to U+00FF; what a host adds itself may be beyond. */
export function latin1(text: string): Uint8Array {
  if (/[\u0100-\uffff]/.test(text)) return encodeUtf8(text)
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** What belongs to the connection stays out: a guest may pass on what it got. */
export function pairsOfFields({ entries }: Pick<Fields, 'entries'>): HeaderPairs {
  return entries
    .filter(([name]) => !isForbiddenField(name))
    .map(([name, value]) => [name, binary(value)] as const)
}

export function binary(value: Uint8Array): string {
  let text = ''
  // Character by character it would be a tree of a node for each, until somebody reads it.
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

/** The same fields once more, for another owner. */
export function copyFields(ledger: Ledger, { entries }: Fields, mutable: boolean): Fields {
  return chargeFields(ledger, { entries, mutable })
}

/** All of the resource `fields`; `ledger` pays for what guests put into them. */
export function createFieldsFunctions(ledger: Ledger): HostInterface['functions'] {
  return {
    // The draft of October 2023 has the entries here and no way to say that they are wrong.
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
