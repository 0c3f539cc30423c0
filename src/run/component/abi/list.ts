import { HELD, pair, type CodecBody } from './codec.ts'
import type { Codec, Call } from './model.ts'
import { allocate, assertRange, charge, chargeLifted, views } from './memory.ts'

export function list(element: Codec): CodecBody {
  return pair(
    'list',
    element.kind === 'u8' ? HELD.bytes : HELD.array,
    (call, at, count) => loadItems(call, element, at, count),
    (call, value) => {
      const items = value as ArrayLike<unknown>
      charge(call, items instanceof Uint8Array ? items.length : items.length * heldBy(element))
      const at = allocate(call, items.length * element.size, element.align)
      storeItems(call, element, items, at)
      return [at, items.length]
    },
  )
}

// Of one call no more items than this makes of its bytes, whatever they take.
const ITEM = 16

/** What one item takes on our side: its place, and itself. */
function heldBy(element: Codec): number {
  return 8 + element.held
}

/** A copy of what lies there: bytes as `Uint8Array`, anything else as an array. */
export function loadItems(
  call: Call,
  element: Codec,
  at: number,
  count: number,
): ArrayLike<unknown> {
  assertRange(call, at, count * element.size, element.align)
  if (element.kind === 'u8') {
    chargeLifted(call, count, count)
    return views(call).bytes.slice(at, at + count)
  }
  chargeLifted(call, count * (element.size + ITEM), count * heldBy(element))
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
