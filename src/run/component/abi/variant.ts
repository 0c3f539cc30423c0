import { FLAT_CAP, HELD, takeNumber, type CodecBody } from './codec.ts'
import type { Codec, CoreType, Flat, CoreValue } from './model.ts'
import { alignTo, checkSize, loadUnsigned, most, storeUnsigned } from './layout.ts'
import { trap } from './runtime.ts'

type Case = readonly [label: string, codec: Codec | undefined]

/** Variants, results, options, enums: `open` makes our value of case and payload, `close` undoes it. */
function sum(
  kind: string,
  held: number,
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
    held: held + most(0, payloads, (codec) => codec.held),
    flat: (['i32', ...joined] as CoreType[]).slice(0, FLAT_CAP),
    load(call, at) {
      const index = loadUnsigned(call, at, size)
      return open(index, pick(index)?.load(call, at + offset))
    },
    store(call, value, at) {
      const [index, codec, payload] = split(value)
      storeUnsigned(call, index, at, size)
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

interface Tagged {
  readonly tag: string
  readonly val?: unknown
}

function tagged(kind: string, cases: readonly Case[]): CodecBody {
  const indices = new Map(cases.map(([label], i) => [label, i]))
  return sum(
    kind,
    HELD.tagged,
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
    0,
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
    0,
    cases,
    (index) => labels[index],
    (value) => [indices.get(value as string) ?? -1],
  )
}

/** The core type that can carry either: cases of a variant share their places. */
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
