import type { Call } from './model.ts'
import { trap } from './runtime.ts'

// As Wasmtime has it for one call. Items may lie over each other, so that memory itself is no bound.
export const MAX_LIFTED: number = 128 * 1024 * 1024

/** Counts what is about to be copied out of the guest's memory; `held` is what it takes on our side. */
export function chargeLifted(call: Call, bytes: number, held: number): void {
  if ((call.lifted += bytes) > MAX_LIFTED)
    trap(`one call passes more than ${MAX_LIFTED} bytes out of memory`)
  charge(call, held)
}

/** Counts a value that we hold while the call lasts, in whichever direction it passes. */
export function charge(call: Call, bytes: number): void {
  call.instance.store.budget.charge(bytes)
  call.charged += bytes
}

/** The values of the call have been handed on. */
export function settleCharges(call: Call): void {
  if (call.charged === 0) return
  call.instance.store.budget.release(call.charged)
  call.charged = 0
}

export function views(call: Call): { readonly bytes: Uint8Array; readonly data: DataView } {
  const buffer = call.memory?.buffer
  if (buffer === undefined) return trap('a value in memory, but no memory is given')
  if (call.views?.bytes.buffer !== buffer) {
    call.views = { bytes: new Uint8Array(buffer), data: new DataView(buffer) }
  }
  return call.views
}

export function assertRange(call: Call, at: number, length: number, align: number): void {
  if (at % align !== 0) trap(`pointer ${at} is not aligned to ${align}`)
  if (at + length > views(call).bytes.length) trap(`${length} bytes at ${at} lie outside memory`)
}

/** Room in the guest's memory, by the guest's own `realloc`. */
export function allocate(call: Call, size: number, align: number, old = 0, oldSize = 0): number {
  const { realloc, instance } = call
  if (realloc === undefined) return trap('a value for memory, but no "realloc" is given')
  if (size > 0x7fffffff) trap(`a value of ${size} bytes`)
  instance.mayLeave = false
  const at = (realloc(old, oldSize, align, size) as number) >>> 0
  instance.mayLeave = true
  assertRange(call, at, size, align)
  return at
}
