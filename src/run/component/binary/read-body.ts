import {
  CALL,
  each,
  MEMORY_GROW,
  REF_FUNC,
  RETURN_CALL,
  skipBytes,
  takeU32,
  takeValueType,
  walkBody,
  type Cursor,
} from './instructions.ts'

/** An index that names the first function, which moves when the module is metered. */
export interface FirstFunction {
  readonly at: number
  readonly end: number
}

/** A `memory.grow`. */
interface Growth {
  readonly at: number
  readonly end: number
  readonly memory: number
}

export interface Body {
  /** Of its length, then of its content. */
  readonly start: number
  readonly at: number
  readonly end: number
  readonly firsts: readonly FirstFunction[]
  readonly growths: readonly Growth[]
}

const NONE: readonly never[] = []

/** The LEB128 number at a place where there may be none. */
function numberAt(bytes: Uint8Array, at: number): number {
  let result = 0
  for (let i = 0; i < 5; i++) {
    const next = bytes[at + i] ?? 0
    result += (next & 0x7f) * 2 ** (i * 7)
    if (next < 0x80) break
  }
  return result
}

const OPCODES_OF_INTEREST = new Uint8Array(256)
for (const opcode of [MEMORY_GROW, CALL, RETURN_CALL, REF_FUNC]) OPCODES_OF_INTEREST[opcode] = 1

/**
 * Whether a body may name the first function or grow a memory: whether the bytes of such an
 * instruction are there. Most bodies have none, and need not be read.
 */
function isOfInterest(
  bytes: Uint8Array,
  from: number,
  to: number,
  first: number,
  memories: number,
): boolean {
  const low = first & 0x7f
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number
    if (OPCODES_OF_INTEREST[byte] === 0) continue
    const next = bytes[i + 1] as number
    if (byte === MEMORY_GROW) {
      // Most often it is the type of a block, and an opcode follows.
      if ((next < memories || next >= 0x80) && numberAt(bytes, i + 1) < memories) return true
    } else if ((next & 0x7f) === low && numberAt(bytes, i + 1) === first) return true
  }
  return false
}

/** Locals come before instructions: how many of each type. */
export function skipLocals(body: Cursor): void {
  each(body, () => {
    takeU32(body)
    takeValueType(body)
  })
}

/** One function: its instructions are read only where they may be of interest. */
export function readBody(cursor: Cursor, first: number, memories: number): Body {
  const start = cursor.at
  const size = takeU32(cursor)
  const { at, bytes } = cursor
  skipBytes(cursor, size)
  const end = cursor.at
  if (!isOfInterest(bytes, at, end, first, memories))
    return { start, at, end, firsts: NONE, growths: NONE }
  const body: Cursor = { bytes, at, end }
  const firsts: FirstFunction[] = []
  const growths: Growth[] = []
  skipLocals(body)
  walkBody(body, (opcode, index, from, to) => {
    if (opcode === MEMORY_GROW) growths.push({ at: from - 1, end: to, memory: index })
    else if (index === first) firsts.push({ at: from, end: to })
  })
  return { start, at, end, firsts, growths }
}
