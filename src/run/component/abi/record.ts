import { FLAT_CAP, HELD, takeNumber, type CodecBody } from './codec.ts'
import type { Codec } from './model.ts'
import { alignTo, checkSize, loadUnsigned, most, storeUnsigned } from './layout.ts'

/** Records and tuples: `gather` makes our value of the parts, `spread` takes it apart again. */
function product(
  kind: string,
  held: number,
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
    held: parts.reduce((sum, part) => sum + part.held, held),
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
    HELD.array + 8 * parts.length,
    parts,
    (values) => values,
    (value) => value as unknown[],
  )
}

export function record(fields: ReadonlyArray<readonly [string, Codec]>): CodecBody {
  const keys = fields.map(([label]) => camelCase(label))
  return product(
    'record',
    HELD.record + HELD.field * fields.length,
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
function camelCase(label: string): string {
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
    held: HELD.record + HELD.field * labels.length,
    flat: ['i32'],
    load: (call, at) => open(loadUnsigned(call, at, size)),
    store: (call, value, at) => storeUnsigned(call, close(value), at, size),
    lift: (_, flat) => open(takeNumber(flat)),
    lower: (_, value, out) => {
      out.push(close(value) | 0)
    },
  }
}
