import type { Codec, Call } from './model.ts'
import { views } from './memory.ts'
import { trap } from './runtime.ts'

/** Largest value: what a 32-bit memory holds. */
const MAX_SIZE = 0xffff_ffff

export function checkSize(size: number): number {
  return size <= MAX_SIZE ? size : trap(`a type of ${size} bytes`)
}

/** Not by `Math.max(...)`: a type may have more parts than a call has arguments. */
export function most(least: number, parts: readonly Codec[], of: (part: Codec) => number): number {
  return parts.reduce((so, part) => Math.max(so, of(part)), least)
}

export function alignTo(at: number, align: number): number {
  return Math.ceil(at / align) * align
}

/** Of one, two or four bytes: which case it is, or which flags are set. */
export function loadUnsigned(call: Call, at: number, size: number): number {
  const { data } = views(call)
  return size === 1
    ? data.getUint8(at)
    : size === 2
      ? data.getUint16(at, true)
      : data.getUint32(at, true)
}

export function storeUnsigned(call: Call, value: number, at: number, size: number): void {
  const { data } = views(call)
  if (size === 1) data.setUint8(at, value)
  else if (size === 2) data.setUint16(at, value, true)
  else data.setUint32(at, value, true)
}
