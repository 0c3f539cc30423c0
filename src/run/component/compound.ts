import {
  alignTo,
  FLAT_CAP,
  pair,
  takeNumber,
  type Codec,
  type CodecBody,
  type CoreType,
  type Flat,
} from './codec.ts'
import { allocate, assertRange, charge, views, type Call } from './memory.ts'
import { trap, type CoreValue } from './runtime.ts'

/** Largest value: what a 32-bit memory holds. */
const MAX_SIZE = 0xffff_ffff

function checkSize(size: number): number {
  return size <= MAX_SIZE ? size : trap(`a type of ${size} bytes`)
}

/** Not by `Math.max(...)`: a type may have more parts than a call has arguments. */
function most(least: number, parts: readonly Codec[], of: (part: Codec) => number): number {
  return parts.reduce((so, part) => Math.max(so, of(part)), least)
}

export function list(element: Codec): CodecBody {
  return pair(
    'list',
    (call, at, count) => loadItems(call, element, at, count),
    (call, value) => {
      const items = value as ArrayLike<unknown>
      const at = allocate(call, items.length * element.size, element.align)
      storeItems(call, element, items, at)
      return [at, items.length]
    },
  )
}

// What one item of an array takes on our side, about, beside its own bytes.
const ITEM = 16

/** A copy of what lies there: bytes as `Uint8Array`, anything else as an array. */
export function loadItems(
  call: Call,
  element: Codec,
  at: number,
  count: number,
): ArrayLike<unknown> {
  assertRange(call, at, count * element.size, element.align)
  if (element.kind === 'u8') {
    charge(call, count)
    return views(call).bytes.slice(at, at + count)
  }
  charge(call, count * (element.size + ITEM))
  return Array.from({ length: count }, (_, i) => element.load(call, at + i * element.size))
}

/** The room must be there. */
export function storeItems(
  call: Call,
  element: Codec,
  items: ArrayLike<unknown>,
  at: number,
): void {
  if (items instanceof Uint8Array && element.kind === 'u8') views(call).bytes.set(items, at)
  else for (let i = 0; i < items.length; i++) element.store(call, items[i], at + i * element.size)
}

/** Records and tuples: `gather` makes our value of the parts, `spread` takes it apart again. */
function product(
  kind: string,
  parts: readonly Codec[],
  gather: (values: unknown[]) => unknown,
  spread: (value: unknown) => readonly unknown[],
): CodecBody {
  const align = most(1, parts, (part) => part.align)
  let end = 0
  const offsets = parts.map((part) => {
    const at = alignTo(end, part.align)
    end = checkSize(at + part.size)
    return at
  })
  return {
    kind,
    size: checkSize(alignTo(end, align)),
    align,
    flat: parts.flatMap((part) => part.flat).slice(0, FLAT_CAP),
    load: (call, at) =>
      gather(parts.map((part, i) => part.load(call, at + (offsets[i] as number)))),
    store(call, value, at) {
      spread(value).forEach((item, i) => parts[i]?.store(call, item, at + (offsets[i] as number)))
    },
    lift: (call, flat) => gather(parts.map((part) => part.lift(call, flat))),
    lower(call, value, out) {
      spread(value).forEach((item, i) => parts[i]?.lower(call, item, out))
    },
  }
}

export function tuple(parts: readonly Codec[]): CodecBody {
  return product(
    'tuple',
    parts,
    (values) => values,
    (value) => value as unknown[],
  )
}

export function record(fields: ReadonlyArray<readonly [string, Codec]>): CodecBody {
  const keys = fields.map(([label]) => camelCase(label))
  return product(
    'record',
    fields.map(([, codec]) => codec),
    (values) => {
      // No prototype: a field may be called "constructor".
      const object: Record<string, unknown> = Object.create(null)
      keys.forEach((key, i) => (object[key] = values[i]))
      return object
    },
    (value) => keys.map((key) => (value as Record<string, unknown>)[key]),
  )
}

/**
 * `content-type` to `contentType`, as components' JavaScript bindings spell it. Before a number the
 * hyphen stays: `a-1` is another field than `a1`.
 */
export function camelCase(label: string): string {
  return label.replace(/-([a-zA-Z])/g, (_, letter: string) => letter.toUpperCase())
}

export function flags(labels: readonly string[]): CodecBody {
  const keys = labels.map(camelCase)
  const size = labels.length <= 8 ? 1 : labels.length <= 16 ? 2 : 4
  const open = (bits: number): unknown => {
    const object: Record<string, boolean> = Object.create(null)
    keys.forEach((key, i) => (object[key] = ((bits >>> i) & 1) === 1))
    return object
  }
  const close = (value: unknown): number =>
    keys.reduce(
      (bits, key, i) => ((value as Record<string, boolean>)[key] === true ? bits | (1 << i) : bits),
      0,
    ) >>> 0
  return {
    kind: 'flags',
    size,
    align: size,
    flat: ['i32'],
    load: (call, at) => open(loadDiscriminant(call, at, size)),
    store: (call, value, at) => storeDiscriminant(call, close(value), at, size),
    lift: (_, flat) => open(takeNumber(flat)),
    lower: (_, value, out) => {
      out.push(close(value) | 0)
    },
  }
}

function loadDiscriminant(call: Call, at: number, size: number): number {
  const { data } = views(call)
  return size === 1
    ? data.getUint8(at)
    : size === 2
      ? data.getUint16(at, true)
      : data.getUint32(at, true)
}

function storeDiscriminant(call: Call, value: number, at: number, size: number): void {
  const { data } = views(call)
  if (size === 1) data.setUint8(at, value)
  else if (size === 2) data.setUint16(at, value, true)
  else data.setUint32(at, value, true)
}

type Case = readonly [label: string, codec: Codec | undefined]

/** Variants, results, options, enums: `open` makes our value of case and payload, `close` undoes it. */
function sum(
  kind: string,
  cases: readonly Case[],
  open: (index: number, payload: unknown) => unknown,
  close: (value: unknown) => readonly [index: number, payload?: unknown],
): CodecBody {
  const size = cases.length <= 0x100 ? 1 : cases.length <= 0x10000 ? 2 : 4
  const payloads = cases.flatMap(([, codec]) => (codec === undefined ? [] : [codec]))
  const payloadAlign = most(1, payloads, (codec) => codec.align)
  const align = Math.max(size, payloadAlign)
  const offset = alignTo(size, payloadAlign)
  const joined: CoreType[] = []
  for (const { flat } of payloads) {
    flat.forEach((type, i) => (joined[i] = joined[i] === undefined ? type : join(joined[i], type)))
  }
  const pick = (index: number): Codec | undefined => {
    const found = cases[index]
    return found === undefined
      ? trap(`case ${index} of a ${kind} that has ${cases.length}`)
      : found[1]
  }
  const split = (value: unknown): readonly [number, Codec | undefined, unknown] => {
    const [index, payload] = close(value)
    if (cases[index] === undefined)
      throw new TypeError(`a host gave ${describe(value)} where a ${kind} is due`)
    return [index, cases[index][1], payload]
  }
  return {
    kind,
    size: checkSize(alignTo(offset + most(0, payloads, (codec) => codec.size), align)),
    align,
    flat: (['i32', ...joined] as CoreType[]).slice(0, FLAT_CAP),
    load(call, at) {
      const index = loadDiscriminant(call, at, size)
      return open(index, pick(index)?.load(call, at + offset))
    },
    store(call, value, at) {
      const [index, codec, payload] = split(value)
      storeDiscriminant(call, index, at, size)
      codec?.store(call, payload, at + offset)
    },
    lift(call, flat) {
      const index = takeNumber(flat) >>> 0
      const codec = pick(index)
      const values = joined.map(() => flat.values[flat.at++] as CoreValue)
      if (codec === undefined) return open(index, undefined)
      const own: Flat = {
        values: codec.flat.map((type, i) =>
          narrow(values[i] as CoreValue, joined[i] as CoreType, type),
        ),
        at: 0,
      }
      return open(index, codec.lift(call, own))
    },
    lower(call, value, out) {
      const [index, codec, payload] = split(value)
      const own: CoreValue[] = []
      codec?.lower(call, payload, own)
      out.push(index)
      joined.forEach((type, i) => {
        const given = own[i]
        out.push(
          given === undefined
            ? type === 'i64'
              ? 0n
              : 0
            : widen(given, codec?.flat[i] as CoreType, type),
        )
      })
    },
  }
}

function describe(value: unknown): string {
  const tag = (value as { tag?: unknown } | null | undefined)?.tag
  return typeof tag === 'string'
    ? `the case "${tag}"`
    : typeof value === 'string'
      ? `"${value}"`
      : typeof value
}

function join(a: CoreType, b: CoreType): CoreType {
  if (a === b) return a
  return (a === 'i32' && b === 'f32') || (a === 'f32' && b === 'i32') ? 'i32' : 'i64'
}

const scratch = new DataView(new ArrayBuffer(8))

/** A payload's core value out of the joined one that carried it. */
function narrow(value: CoreValue, from: CoreType, to: CoreType): CoreValue {
  if (from === to) return value
  if (from === 'i64') {
    scratch.setBigInt64(0, BigInt.asIntN(64, value as bigint), true)
    if (to === 'f64') return scratch.getFloat64(0, true)
  } else scratch.setInt32(0, value as number, true)
  return to === 'f32' ? scratch.getFloat32(0, true) : scratch.getInt32(0, true)
}

/** The other way. */
function widen(value: CoreValue, from: CoreType, to: CoreType): CoreValue {
  if (from === to) return value
  scratch.setBigInt64(0, 0n)
  if (from === 'f64') scratch.setFloat64(0, value as number, true)
  else if (from === 'f32') scratch.setFloat32(0, value as number, true)
  else scratch.setInt32(0, value as number, true)
  return to === 'i64' ? scratch.getBigInt64(0, true) : scratch.getInt32(0, true)
}

interface Tagged {
  readonly tag: string
  readonly val?: unknown
}

function tagged(kind: string, cases: readonly Case[]): CodecBody {
  const indices = new Map(cases.map(([label], i) => [label, i]))
  return sum(
    kind,
    cases,
    (index, val) => ({ tag: cases[index]?.[0], val }),
    (value) => [
      indices.get((value as Tagged | undefined)?.tag ?? '') ?? -1,
      (value as Tagged | undefined)?.val,
    ],
  )
}

export function variant(cases: readonly Case[]): CodecBody {
  return tagged('variant', cases)
}

export function result(ok: Codec | undefined, err: Codec | undefined): CodecBody {
  return tagged('result', [
    ['ok', ok],
    ['err', err],
  ])
}

export function option(element: Codec): CodecBody {
  const cases: readonly Case[] = [
    ['none', undefined],
    ['some', element],
  ]
  // `undefined` can't tell the inner absence from the outer one.
  if (element.kind === 'option') return { ...tagged('option', cases) }
  return sum(
    'option',
    cases,
    (index, payload) => (index === 0 ? undefined : payload),
    (value) => (value === undefined || value === null ? [0] : [1, value]),
  )
}

export function enumeration(labels: readonly string[]): CodecBody {
  const indices = new Map(labels.map((label, i) => [label, i]))
  const cases = labels.map((label): Case => [label, undefined])
  return sum(
    'enum',
    cases,
    (index) => labels[index],
    (value) => [indices.get(value as string) ?? -1],
  )
}
