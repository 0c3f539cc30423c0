import { CANCELLED } from '../abi/items.ts'
import type { CallControl, Store } from '../abi/model.ts'
import { isPromise } from '../abi/runtime.ts'

/**
 * Calls a function of the host's whose results may be large and come later: only so many are in flight
 * for one request, further ones wait. A call keeps its slot until the host has answered, also when the
 * guest gives it up.
 */
export function callInTurn(store: Store, call: () => unknown, control: CallControl): unknown {
  const { calls } = store.budget
  const run = (): unknown => {
    try {
      const value = call()
      if (isPromise(value)) return value.finally(() => calls.give())
      calls.give()
      return value
    } catch (error) {
      calls.give()
      throw error
    }
  }
  let hasSlot = false
  let wake = (): void => {}
  const leave = calls.take(() => {
    hasSlot = true
    wake()
  })
  if (hasSlot) return run()
  let isGivenUp = false
  const turn = new Promise<void>((resolve) => (wake = resolve))
  control.cancel = () => {
    isGivenUp = true
    if (leave()) wake()
    return true
  }
  // A turn later, so that many that are answered at once are no recursion.
  return turn.then(() => {
    if (!isGivenUp && store.failure === undefined) return run()
    if (hasSlot) calls.give()
    return CANCELLED
  })
}

/** What a value without resources takes, about, as it came from the host. */
export function bytesOf(value: unknown, seen: Set<unknown> = new Set()): number {
  if (typeof value === 'string') return 2 * value.length
  if (typeof value !== 'object' || value === null) return 8
  if (ArrayBuffer.isView(value)) return value.byteLength
  if (seen.has(value)) return 0
  seen.add(value)
  let bytes = 16
  for (const part of Array.isArray(value) ? value : Object.values(value))
    bytes += 8 + bytesOf(part, seen)
  return bytes
}
