import type { CoreType, CoreValue } from './model.ts'

/** The core type that can carry either: cases of a variant share their places. */
export function join(a: CoreType, b: CoreType): CoreType {
  if (a === b) return a
  return (a === 'i32' && b === 'f32') || (a === 'f32' && b === 'i32') ? 'i32' : 'i64'
}

const scratch = new DataView(new ArrayBuffer(8))

/** A payload's core value out of the joined one that carried it. */
export function narrow(value: CoreValue, from: CoreType, to: CoreType): CoreValue {
  if (from === to) return value
  if (from === 'i64') {
    scratch.setBigInt64(0, BigInt.asIntN(64, value as bigint), true)
    if (to === 'f64') return scratch.getFloat64(0, true)
  } else scratch.setInt32(0, value as number, true)
  return to === 'f32' ? scratch.getFloat32(0, true) : scratch.getInt32(0, true)
}

/** The other way. */
export function widen(value: CoreValue, from: CoreType, to: CoreType): CoreValue {
  if (from === to) return value
  scratch.setBigInt64(0, 0n)
  if (from === 'f64') scratch.setFloat64(0, value as number, true)
  else if (from === 'f32') scratch.setFloat32(0, value as number, true)
  else scratch.setInt32(0, value as number, true)
  return to === 'i64' ? scratch.getBigInt64(0, true) : scratch.getInt32(0, true)
}
