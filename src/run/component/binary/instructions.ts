import { SpindleError } from '../../../errors.ts'

export const CALL = 0x10
export const RETURN_CALL = 0x12
export const MEMORY_GROW = 0x40
export const REF_FUNC = 0xd2
const END = 0x0b
/** Stands for every relaxed vector instruction: their codes begin with it. */
export const RELAXED = 0x100

/** Called for each instruction that names a function or grows a memory; its operand lies at `at` to `end`. */
export type Visit = (opcode: number, index: number, at: number, end: number) => void

type Operands =
  | 'none'
  | 'index'
  | 'two indices'
  | 'block type'
  | 'number'
  | 'four bytes'
  | 'eight bytes'
  | 'memory'
  | 'branch table'
  | 'types'
  | 'catches'
  | 'heap type'
  | 'numeric'
  | 'vector'
  | 'atomic'

/** What follows each opcode of one byte. Those of garbage collection are missing: types refuse them. */
function operandsOf(opcode: number): Operands | undefined {
  if (opcode >= 0x45 && opcode <= 0xc4) return 'none'
  if (opcode >= 0x28 && opcode <= 0x3e) return 'memory'
  if (opcode >= 0x20 && opcode <= 0x26) return 'index'
  switch (opcode) {
    // unreachable, nop, else, throw_ref, end, return, catch_all, drop, select, ref.is_null, ref.as_non_null
    case 0x00:
    case 0x01:
    case 0x05:
    case 0x0a:
    case END:
    case 0x0f:
    case 0x19:
    case 0x1a:
    case 0x1b:
    case 0xd1:
    case 0xd4:
      return 'none'
    // block, loop, if, try
    case 0x02:
    case 0x03:
    case 0x04:
    case 0x06:
      return 'block type'
    // catch, throw, rethrow, br, br_if, call_ref, return_call_ref, delegate, memory.size, br_on_null, br_on_non_null
    case 0x07:
    case 0x08:
    case 0x09:
    case 0x0c:
    case 0x0d:
    case CALL:
    case RETURN_CALL:
    case 0x14:
    case 0x15:
    case 0x18:
    case 0x3f:
    case MEMORY_GROW:
    case REF_FUNC:
    case 0xd5:
    case 0xd6:
      return 'index'
    case 0x0e:
      return 'branch table'
    // call_indirect, return_call_indirect
    case 0x11:
    case 0x13:
      return 'two indices'
    case 0x1c:
      return 'types'
    case 0x1f:
      return 'catches'
    // i32.const, i64.const
    case 0x41:
    case 0x42:
      return 'number'
    case 0x43:
      return 'four bytes'
    case 0x44:
      return 'eight bytes'
    case 0xd0:
      return 'heap type'
    case 0xfc:
      return 'numeric'
    case 0xfd:
      return 'vector'
    case 0xfe:
      return 'atomic'
    default:
      return undefined
  }
}

const OPERANDS: ReadonlyArray<Operands | undefined> = Array.from({ length: 256 }, (_, opcode) =>
  operandsOf(opcode),
)

// Whatever LEB128 number an engine takes has ten bytes at most: 64 bits.
const MAX_LEB_BYTES = 10

/** Where a type index may stand: a heap type, and the two prefixes of a reference to one. */
const NULLABLE = 0x63
const NON_NULLABLE = 0x64

export interface Cursor {
  at: number
  readonly end: number
  readonly bytes: Uint8Array
}

export function malformed(message: string, at: number): never {
  throw new SpindleError('ERR_CONTENT_INVALID', `malformed core module: ${message} (at byte ${at})`)
}

export function takeByte(cursor: Cursor): number {
  if (cursor.at >= cursor.end) malformed('unexpected end', cursor.at)
  return cursor.bytes[cursor.at++] as number
}

export function skipBytes(cursor: Cursor, count: number): void {
  if (count > cursor.end - cursor.at)
    malformed(`${count} bytes announced, ${cursor.end - cursor.at} left`, cursor.at)
  cursor.at += count
}

export function takeU32(cursor: Cursor): number {
  let result = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const next = takeByte(cursor)
    result += (next & 0x7f) * 2 ** shift
    if (next < 0x80)
      return result <= 0xffff_ffff ? result : malformed('number is too large', cursor.at)
  }
  return malformed('number is too large', cursor.at)
}

/** Reads a vector's items one by one; gives how many there are. */
export function each(cursor: Cursor, read: (index: number) => void): number {
  const count = takeU32(cursor)
  for (let i = 0; i < count; i++) read(i)
  return count
}

function skipNumber(cursor: Cursor): void {
  for (let i = 0; i < MAX_LEB_BYTES; i++) if (takeByte(cursor) < 0x80) return
  malformed('number is too large', cursor.at)
}

/** Codes of value types: a reference counts as what it refers to, one of the module's own types as `concrete`. */
export const VALUE = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
  func: 0x70,
  extern: 0x6f,
  concrete: 0,
} as const

export function takeValueType(cursor: Cursor): number {
  const code = takeByte(cursor)
  if (code === NULLABLE || code === NON_NULLABLE) return takeHeapType(cursor)
  if (code < 0x40) malformed(`unknown value type 0x${code.toString(16)}`, cursor.at - 1)
  return code
}

function takeHeapType(cursor: Cursor): number {
  const first = cursor.bytes[cursor.at] as number
  // Prefixes of proposals: what follows them is not known here.
  if (first === 0x62 || first === 0x65) unknown('heap type', first, cursor.at)
  skipNumber(cursor)
  // Abstract ones are negative numbers of one byte.
  return first >= 0x40 && first < 0x80 ? first : VALUE.concrete
}

export function unknown(what: string, code: number, at: number): never {
  throw new SpindleError(
    'ERR_UNSUPPORTED',
    `a core module has the ${what} 0x${code.toString(16)}, which is not supported (at byte ${at})`,
  )
}

function skipBlockType(cursor: Cursor): void {
  const first = cursor.bytes[cursor.at]
  if (first === NULLABLE || first === NON_NULLABLE) takeValueType(cursor)
  else skipNumber(cursor)
}

function skipMemoryOperand(cursor: Cursor): void {
  const MEMORY_INDEX = 0x40
  if (takeU32(cursor) & MEMORY_INDEX) skipNumber(cursor)
  skipNumber(cursor)
}

function skipCatches(cursor: Cursor): void {
  skipBlockType(cursor)
  for (let count = takeU32(cursor); count > 0; count--) {
    const kind = takeByte(cursor)
    if (kind > 3) unknown('catch clause', kind, cursor.at - 1)
    // The first two name a tag.
    if (kind < 2) skipNumber(cursor)
    skipNumber(cursor)
  }
}

/** Opcodes after 0xfc: conversions, then memories, segments and tables. */
function skipNumeric(cursor: Cursor): void {
  const at = cursor.at
  const code = takeU32(cursor)
  if (code <= 7) return
  // data.drop, memory.fill, elem.drop, table.grow, table.size, table.fill
  const ONE = [9, 11, 13, 15, 16, 17]
  // memory.init, memory.copy, table.init, table.copy
  const TWO = [8, 10, 12, 14]
  if (!ONE.includes(code) && !TWO.includes(code)) unknown('numeric instruction', code, at)
  skipNumber(cursor)
  if (TWO.includes(code)) skipNumber(cursor)
}

/** Opcodes after 0xfd, relaxed ones too. */
function skipVector(cursor: Cursor): number {
  const at = cursor.at
  const code = takeU32(cursor)
  if (code > 0x113) unknown('vector instruction', code, at)
  // v128.const, i8x16.shuffle
  if (code === 12 || code === 13) skipBytes(cursor, 16)
  else if (code <= 11 || code === 92 || code === 93) skipMemoryOperand(cursor)
  // Loads and stores of one lane.
  else if (code >= 84 && code <= 91) {
    skipMemoryOperand(cursor)
    skipBytes(cursor, 1)
  } else if (code >= 21 && code <= 34) skipBytes(cursor, 1)
  return code
}

function skipAtomic(cursor: Cursor): void {
  const at = cursor.at
  const code = takeU32(cursor)
  if (code === 3) skipBytes(cursor, 1)
  else if (code <= 2 || (code >= 0x10 && code <= 0x4e)) skipMemoryOperand(cursor)
  else unknown('atomic instruction', code, at)
}

function step(cursor: Cursor, visit: Visit): number {
  const opcode = takeByte(cursor)
  const start = cursor.at
  switch (OPERANDS[opcode]) {
    case 'none':
      break
    case 'index':
      if (
        opcode === CALL ||
        opcode === RETURN_CALL ||
        opcode === MEMORY_GROW ||
        opcode === REF_FUNC
      ) {
        const index = takeU32(cursor)
        visit(opcode, index, start, cursor.at)
      } else skipNumber(cursor)
      break
    case 'number':
      skipNumber(cursor)
      break
    case 'two indices':
      skipNumber(cursor)
      skipNumber(cursor)
      break
    case 'memory':
      skipMemoryOperand(cursor)
      break
    case 'block type':
      skipBlockType(cursor)
      break
    case 'branch table':
      for (let count = takeU32(cursor); count >= 0; count--) skipNumber(cursor)
      break
    case 'four bytes':
      skipBytes(cursor, 4)
      break
    case 'eight bytes':
      skipBytes(cursor, 8)
      break
    case 'types':
      for (let count = takeU32(cursor); count > 0; count--) takeValueType(cursor)
      break
    case 'catches':
      skipCatches(cursor)
      break
    case 'heap type':
      takeHeapType(cursor)
      break
    case 'numeric':
      skipNumeric(cursor)
      break
    case 'vector':
      if (skipVector(cursor) >= RELAXED) return RELAXED
      break
    case 'atomic':
      skipAtomic(cursor)
      break
    default:
      unknown('instruction', opcode, start - 1)
  }
  return opcode
}

/**
 * Goes through the instructions of a function body, after its locals. Throws `ERR_UNSUPPORTED` at one
 * that is not known: what follows it could not be told from its operands.
 *
 * @see https://webassembly.github.io/spec/core/binary/instructions.html
 */
export function walkBody(cursor: Cursor, visit: Visit): void {
  while (cursor.at < cursor.end) step(cursor, visit)
}

/** The opcode of the next instruction, which is skipped; {@link RELAXED} for those. */
export function skipInstruction(cursor: Cursor): number {
  return step(cursor, () => {})
}

/** Arithmetic in constant expressions: i32.add, i32.sub, i32.mul, and the same of i64. */
const EXTENDED: ReadonlySet<number> = new Set([0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e])

/**
 * The same for a constant expression: it has no blocks, so that its first `end` is its last. Gives
 * whether it is an extended one.
 */
export function walkConstant(cursor: Cursor, visit: Visit): boolean {
  let isExtended = false
  for (let opcode = step(cursor, visit); opcode !== END; opcode = step(cursor, visit))
    isExtended ||= EXTENDED.has(opcode)
  return isExtended
}
