import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import {
  BORROW,
  type CompoundType,
  ENUM,
  type FuncType,
  FUTURE,
  LIST,
  OPTION,
  OWN,
  RECORD,
  RESULT,
  resolved,
  STREAM,
  STRING,
  TUPLE,
  type TypeNode,
  type ValueType,
  VARIANT,
} from './component-types.ts'
import { leb, signedLeb } from '../../bytes/leb.ts'
import { bytesOf, type Part, sized, text, vector } from './component-writer.ts'
import { alignTo, casesOf, discriminantSize, F32, I32, I64, layoutOf } from './layout.ts'

/** Core parameters of a function at most; more are passed in memory. */
const MAX_FLAT_PARAMS = 16
const PAGE = 65_536

/**
 * What a function says that must not be used, by the name of the case: as Spin's adapter does, where
 * the interface has several. The first of these that there is.
 */
const REFUSALS: readonly string[] = [
  'access-denied',
  'destination-not-allowed',
  'model-not-supported',
  'undefined',
  'internal-error',
  'other',
  'other-error',
  'io',
  'error',
]
/** Its payload is the name that was asked for. */
const ECHO = 'undefined'

export interface CoreFunction {
  readonly params: readonly number[]
  readonly results: readonly number[]
  readonly body: Part
}

/** Makes and drops handles: gives the index of a function that does it. */
interface HandleFunctions {
  isOwn(type: TypeNode): boolean
  helper(what: 'new' | 'drop', type: TypeNode): number
}

interface Data {
  /** Room for a value; its address. */
  reserve(size: number, alignment: number): number
  set(at: number, value: number, size: number): void
  /** Puts the address and length of the message somewhere. */
  setMessage(at: number): void
  finish(): readonly number[]
}

/** The memory of the module: answers, then the message, then whatever callers put there. */
export function createData(message: string): Data {
  // From 8 on: an address of 0 looks like none.
  let bytes: number[] = Array.from({ length: 8 }, () => 0)
  const reserve = (size: number, alignment: number): number => {
    const at = alignTo(bytes.length, alignment)
    bytes = [...bytes, ...Array.from({ length: at + size - bytes.length }, () => 0)]
    return at
  }
  const set = (at: number, value: number, size: number): void => {
    for (let index = 0; index < size; index++)
      bytes[at + index] = Math.floor(value / 256 ** index) % 256
  }
  const told = encodeUtf8(message)
  let place: number | undefined
  return {
    reserve,
    set,
    setMessage(at: number): void {
      if (place === undefined) {
        place = reserve(told.length, 1)
        told.forEach((byte, index) => (bytes[(place as number) + index] = byte))
      }
      set(at, place, 4)
      set(at + 4, told.length, 4)
    },
    finish: (): readonly number[] => bytes,
  }
}

const UNREACHABLE = 0x00
const CALL = 0x10
const LOCAL_GET = 0x20

function i32Const(value: number): Part {
  return [0x41, signedLeb(value)]
}

export function refusal(
  { params, result }: FuncType,
  data: Data,
  helpers: HandleFunctions,
): CoreFunction {
  const layouts = params.map(([, type]) => layoutOf(type))
  const answer = layoutOf(result)
  if (answer === undefined || layouts.some((layout) => layout === undefined))
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      "a function with a type of a newer form can't be denied to a dependency; let the dependency inherit it",
    )
  const flat = layouts.flatMap((layout) => layout?.flat ?? [])
  const spilled = flat.length > MAX_FLAT_PARAMS
  const signature = {
    params: spilled ? [I32] : flat,
    results: answer.flat.length > 1 ? [I32] : answer.flat,
  }
  const traps: CoreFunction = { ...signature, body: UNREACHABLE }
  const body: Part[] = []
  let at = 0
  for (const [index, [, type]] of params.entries()) {
    const found = typeof type === 'number' ? undefined : resolved(type)
    if (found?.kind === 'compound' && found.code === BORROW) {
      const resource = found.types[0] as TypeNode
      if (!helpers.isOwn(resource)) {
        // What was lent must be given back, or the call fails.
        if (spilled) return traps
        body.push([LOCAL_GET, leb(at), CALL, leb(helpers.helper('drop', resource))])
      }
    }
    at += layouts[index]?.flat.length ?? 0
  }
  if (result === undefined) return { ...signature, body }
  if (signature.results.length === 1 && answer.flat.length === 1)
    return { ...signature, body: [body, oneValue(result, answer.flat[0] as number, helpers)] }
  const place = data.reserve(answer.size, answer.alignment)
  const echo: Part[] = []
  const asked = isString(params[0]?.[1]) && !spilled
  const canSay = fill(result, place, data, (address) => {
    if (!asked) return data.setMessage(address)
    for (const word of [0, 1])
      echo.push([i32Const(address + 4 * word), LOCAL_GET, word, 0x36, 2, 0])
  })
  return canSay ? { ...signature, body: [body, echo, i32Const(place)] } : traps
}

function isString(type: ValueType | undefined): boolean {
  if (typeof type !== 'object') return type === STRING
  const found = resolved(type)
  return found.kind === 'compound' && found.code === STRING
}

/** A result of one core value: a new handle, or zero. */
function oneValue(type: ValueType, core: number, helpers: HandleFunctions): Part {
  const found = typeof type === 'number' ? undefined : resolved(type)
  if (found?.kind === 'compound') {
    if (found.code === OWN) {
      const resource = found.types[0] as TypeNode
      if (!helpers.isOwn(resource)) return UNREACHABLE
      return [i32Const(0), CALL, leb(helpers.helper('new', resource))]
    }
    // A result without payloads, or the like: its last case is the error.
    if (found.code === RESULT) return i32Const(1)
    if (found.code === BORROW || found.code === STREAM || found.code === FUTURE) return UNREACHABLE
  }
  if (core === I32) return i32Const(0)
  if (core === I64) return [0x42, 0]
  return core === F32 ? [0x43, [0, 0, 0, 0]] : [0x44, [0, 0, 0, 0, 0, 0, 0, 0]]
}

/** Puts what a function answers into its memory. False where no such value can be made. */
function fill(
  type: ValueType | undefined,
  at: number,
  data: Data,
  echo: (address: number) => void,
): boolean {
  if (type === undefined || typeof type === 'number') return true
  const found = resolved(type)
  if (found.kind !== 'compound') return false
  const layout = layoutOf(found)
  switch (found.code) {
    case LIST:
    case OPTION:
      return true
    case RECORD:
    case TUPLE:
      return found.types.every((part, index) =>
        fill(part, at + (layout?.offsets[index] ?? 0), data, echo),
      )
    case RESULT:
      data.set(at, 1, 1)
      return fillError(found.types[1], at + (layout?.offsets[0] ?? 0), data, echo)
    case ENUM:
    case VARIANT:
      return fillCase(found, 0, at, data, echo)
    case OWN:
    case BORROW:
    case STREAM:
    case FUTURE:
      return false
    default:
      return true
  }
}

function fillError(
  type: ValueType | undefined,
  at: number,
  data: Data,
  echo: (address: number) => void,
): boolean {
  if (isString(type)) {
    data.setMessage(at)
    return true
  }
  if (type === undefined || typeof type === 'number') return true
  const found = resolved(type)
  if (found.kind !== 'compound') return false
  if (found.code === OPTION && isString(found.types[0])) {
    data.set(at, 1, 1)
    data.setMessage(at + 4)
    return true
  }
  if (found.code !== ENUM && found.code !== VARIANT) return fill(type, at, data, echo)
  const labels = casesOf(found).map(([label]) => label)
  const wanted = REFUSALS.find((label) => labels.includes(label))
  // An interface without any of them has the most general one last, as is the custom.
  const index = wanted === undefined ? labels.length - 1 : labels.indexOf(wanted)
  return fillCase(found, index, at, data, echo, wanted)
}

function fillCase(
  type: CompoundType,
  index: number,
  at: number,
  data: Data,
  echo: (address: number) => void,
  refusal?: string,
): boolean {
  const cases = casesOf(type)
  const payload = cases[index]?.[1]
  const payloadAt = at + (layoutOf(type)?.offsets[0] ?? 0)
  data.set(at, index, discriminantSize(cases.length))
  if (refusal === ECHO && isString(payload)) {
    echo(payloadAt)
    return true
  }
  return refusal === undefined
    ? fill(payload, payloadAt, data, echo)
    : fillError(payload, payloadAt, data, echo)
}

/** A module with one function for each of the interface, whose callers may put their arguments in its memory. */
export function coreModule(
  functions: readonly CoreFunction[],
  imports: readonly ('new' | 'drop')[],
  data: readonly number[],
): Uint8Array {
  const base = alignTo(data.length, 8)
  const type = (params: readonly number[], results: readonly number[]): Part => [
    0x60,
    vector(params),
    vector(results),
  ]
  const section = (id: number, items: readonly Part[]): Part =>
    items.length === 0 ? [] : [id, sized(vector(items))]
  // Nobody reads the arguments, so that all of them may lie at the same place: it only must be large enough.
  const realloc: Part = [
    // pages = (base + size + 65535) >> 16, in 64 bits
    [LOCAL_GET, 3, 0xad, 0x42, signedLeb(base + PAGE - 1), 0x7c, 0x42, 16, 0x88],
    [0x3f, 0, 0xad, 0x7d, 0x22, 4],
    // Above what there is: grow, or trap.
    [0x42, 0, 0x55, 0x04, 0x40, LOCAL_GET, 4, 0xa7, 0x40, 0, 0x41, 0x7f, 0x46, 0x04, 0x40],
    [UNREACHABLE, 0x0b, 0x0b],
    i32Const(base),
  ]
  const bodies: Part[] = [
    [[1, 1, I64], realloc, 0x0b],
    ...functions.map(({ body }): Part => [0, body, 0x0b]),
  ]
  return bytesOf([
    Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
    section(1, [
      type([I32], [I32]),
      type([I32], []),
      type([I32, I32, I32, I32], [I32]),
      ...functions.map(({ params, results }) => type(params, results)),
    ]),
    section(
      2,
      imports.map((what, index) => [text(''), text(String(index)), 0, what === 'new' ? 0 : 1]),
    ),
    section(3, [2, ...functions.map((_, index): Part => leb(index + 3))]),
    section(5, [[0, leb(Math.ceil(base / PAGE))]]),
    section(7, [
      [text('memory'), 2, 0],
      [text('realloc'), 0, leb(imports.length)],
      ...functions.map((_, index): Part => [
        text(String(index)),
        0,
        leb(imports.length + 1 + index),
      ]),
    ]),
    section(
      10,
      bodies.map((body) => sized(body)),
    ),
    section(11, [[0, i32Const(0), 0x0b, leb(data.length), Uint8Array.from(data)]]),
  ])
}
