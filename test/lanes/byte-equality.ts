// Without this the matchers compare typed arrays key by key, as they compare objects: 3 MB take
// seconds. What differs is left to them, so that a failure reads as ever.
import { expect } from 'vitest'

function equalBytes(a: unknown, b: unknown): boolean | undefined {
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array)) return undefined
  if (a.constructor !== b.constructor || a.length !== b.length) return undefined
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return undefined
  return true
}

// Once for each runtime: files that share one share its matchers.
const REGISTERED = Symbol.for('spindle.byteEquality')
if (!(REGISTERED in globalThis)) {
  expect.addEqualityTesters([equalBytes])
  Object.defineProperty(globalThis, REGISTERED, { value: true })
}
