import type { CoreType, Flat, Codec, Call, CoreValue } from './model.ts'
import type { Primitive } from '../binary/model.ts'
import { views } from './memory.ts'
import { loadString, storeString } from './strings.ts'
import { trap } from './runtime.ts'

export type CodecBody = Omit<Codec, 'id' | 'borrows' | 'handles' | 'pointers'>

export const MAX_FLAT_PARAMS = 16
export const MAX_FLAT_ASYNC_PARAMS = 4
export const FLAT_CAP: number = MAX_FLAT_PARAMS + 1

export function takeNumber(flat: Flat): number {
  return Number(flat.values[flat.at++])
}

/** Of objects that values are or consist of. */
export const HELD = {
  number: 16,
  bigint: 24,
  string: 32,
  array: 64,
  bytes: 256,
  tagged: 48,
  /** Without a prototype, so that V8 makes it a dictionary. */
  record: 160,
  field: 64,
} as const

interface Scalar {
  readonly size: number
  readonly held: number
  readonly type: CoreType
  readonly load: (data: DataView, at: number) => unknown
  readonly store: (data: DataView, at: number, value: never) => void
  readonly lift: (value: never) => unknown
  readonly lower?: (value: never) => CoreValue
}

function checkChar(code: number): string {
  if (code >= 0x110000 || (code >= 0xd800 && code < 0xe000))
    trap(`0x${code.toString(16)} is no character`)
  return String.fromCodePoint(code)
}

function charCode(value: string): number {
  const code = value.codePointAt(0)
  if (code === undefined)
    throw new TypeError('a host gave an empty string where a character is due')
  return code
}

const SCALARS: Readonly<Record<Exclude<Primitive, 'string'>, Scalar>> = {
  bool: {
    size: 1,
    held: 0,
    type: 'i32',
    lift: (v: number) => v !== 0,
    lower: (v: boolean) => (v ? 1 : 0),
    load: (d, p) => d.getUint8(p) !== 0,
    store: (d, p, v: boolean) => d.setUint8(p, v ? 1 : 0),
  },
  u8: {
    size: 1,
    held: 0,
    type: 'i32',
    lift: (v: number) => v & 0xff,
    load: (d, p) => d.getUint8(p),
    store: (d, p, v) => d.setUint8(p, v),
  },
  s8: {
    size: 1,
    held: 0,
    type: 'i32',
    lift: (v: number) => (v << 24) >> 24,
    load: (d, p) => d.getInt8(p),
    store: (d, p, v) => d.setInt8(p, v),
  },
  u16: {
    size: 2,
    held: 0,
    type: 'i32',
    lift: (v: number) => v & 0xffff,
    load: (d, p) => d.getUint16(p, true),
    store: (d, p, v) => d.setUint16(p, v, true),
  },
  s16: {
    size: 2,
    held: 0,
    type: 'i32',
    lift: (v: number) => (v << 16) >> 16,
    load: (d, p) => d.getInt16(p, true),
    store: (d, p, v) => d.setInt16(p, v, true),
  },
  u32: {
    size: 4,
    held: HELD.number,
    type: 'i32',
    lift: (v: number) => v >>> 0,
    load: (d, p) => d.getUint32(p, true),
    store: (d, p, v) => d.setUint32(p, v, true),
  },
  s32: {
    size: 4,
    held: HELD.number,
    type: 'i32',
    lift: (v: number) => v | 0,
    load: (d, p) => d.getInt32(p, true),
    store: (d, p, v) => d.setInt32(p, v, true),
  },
  u64: {
    size: 8,
    held: HELD.bigint,
    type: 'i64',
    lift: (v: bigint) => BigInt.asUintN(64, v),
    load: (d, p) => d.getBigUint64(p, true),
    store: (d, p, v) => d.setBigUint64(p, v, true),
  },
  s64: {
    size: 8,
    held: HELD.bigint,
    type: 'i64',
    lift: (v: bigint) => BigInt.asIntN(64, v),
    load: (d, p) => d.getBigInt64(p, true),
    store: (d, p, v) => d.setBigInt64(p, v, true),
  },
  f32: {
    size: 4,
    held: HELD.number,
    type: 'f32',
    lift: (v: number) => v,
    load: (d, p) => d.getFloat32(p, true),
    store: (d, p, v) => d.setFloat32(p, v, true),
  },
  f64: {
    size: 8,
    held: HELD.number,
    type: 'f64',
    lift: (v: number) => v,
    load: (d, p) => d.getFloat64(p, true),
    store: (d, p, v) => d.setFloat64(p, v, true),
  },
  char: {
    size: 4,
    held: HELD.string,
    type: 'i32',
    lift: (v: number) => checkChar(v >>> 0),
    lower: charCode,
    load: (d, p) => checkChar(d.getUint32(p, true)),
    store: (d, p, v: string) => d.setUint32(p, charCode(v), true),
  },
}

export function primitive(type: Primitive): CodecBody {
  if (type === 'string') return string()
  const scalar = SCALARS[type]
  return {
    kind: type,
    size: scalar.size,
    align: scalar.size,
    held: scalar.held,
    flat: [scalar.type],
    load: (call, at) => scalar.load(views(call).data, at),
    store: (call, value, at) => scalar.store(views(call).data, at, value as never),
    lift: (_, flat) => scalar.lift(flat.values[flat.at++] as never),
    lower: (_, value, out) => {
      out.push(scalar.lower === undefined ? (value as CoreValue) : scalar.lower(value as never))
    },
  }
}

function string(): CodecBody {
  return pair('string', HELD.string, loadString, (call, value) =>
    storeString(call, value as string),
  )
}

/** Strings and lists: a pointer, and how many. */
export function pair(
  kind: string,
  held: number,
  read: (call: Call, at: number, count: number) => unknown,
  write: (call: Call, value: unknown) => readonly [at: number, count: number],
): CodecBody {
  return {
    kind,
    size: 8,
    align: 4,
    held,
    flat: ['i32', 'i32'],
    load(call, at) {
      const { data } = views(call)
      return read(call, data.getUint32(at, true), data.getUint32(at + 4, true))
    },
    store(call, value, at) {
      const [pointer, count] = write(call, value)
      // Only now: the guest's realloc may have moved its memory.
      const { data } = views(call)
      data.setUint32(at, pointer, true)
      data.setUint32(at + 4, count, true)
    },
    lift(call, flat) {
      const pointer = takeNumber(flat) >>> 0
      return read(call, pointer, takeNumber(flat) >>> 0)
    },
    lower(call, value, out) {
      out.push(...write(call, value))
    },
  }
}
