import { parse, stringify, TomlDate, TomlError } from 'smol-toml'
import { SpindleError } from '../errors.ts'
import { type DocumentLimits, tooDeep } from './document-limits.ts'
import { decodeUtf8, encodeUtf8 } from './text.ts'
import { assertTomlWithin } from './toml-limits.ts'

/**
 * Most keys of one document: an invoice of 10 000 parcels has 140 000. The worst document that
 * passes takes less than 0.2 s and 64 MiB (measured).
 */
export const MAX_TOML_KEYS = 160_000

/** Documents of Bindle are tables of four levels; the reader stops hostile ones early. */
const MAX_DEPTH = 32

const TOML_LIMITS: DocumentLimits = { maxKeys: MAX_TOML_KEYS, maxDepth: MAX_DEPTH }

/** The limits of a reader whose user can raise one of them. */
export function tomlLimits(maxKeys: number | undefined, option: string): DocumentLimits {
  return { maxKeys: maxKeys ?? MAX_TOML_KEYS, maxDepth: MAX_DEPTH, option }
}

/** A parsed table without a prototype: no key in it can be anything but data. */
export interface TomlTable {
  readonly [key: string]: unknown
}

/** What is wrong with a text, and where: lines and columns count from 1. */
interface TomlProblem {
  readonly message: string
  readonly line: number
  readonly column: number
  readonly cause: unknown
}

/**
 * Reads a TOML document. Nothing is built of one that is beyond the limits.
 * @throws `ERR_LIMIT_EXCEEDED`; `ERR_CONTENT_INVALID` with line and column, also for integers above
 * 2⁵³−1, which would silently become other numbers. Both name `what`.
 */
export function parseToml(
  source: string | Uint8Array,
  what: string,
  limits: DocumentLimits = TOML_LIMITS,
): TomlTable {
  const text = typeof source === 'string' ? source : decodeUtf8(source)
  if (text === undefined) throw new SpindleError('ERR_CONTENT_INVALID', `${what} is not UTF-8`)
  const { table, problem } = readToml(text, what, limits)
  if (table !== undefined) return table
  // The parser's error quotes the text, in which a server may have put a secret: it is no cause.
  throw new SpindleError(
    'ERR_CONTENT_INVALID',
    `${what}:${problem.line}:${problem.column}: ${problem.message}`,
  )
}

/**
 * As `parseToml`, with what is wrong with the text as a value.
 * @throws `ERR_LIMIT_EXCEEDED` naming `what`.
 */
export function readToml(
  text: string,
  what: string,
  limits: DocumentLimits = TOML_LIMITS,
):
  | { readonly table: TomlTable; readonly problem?: undefined }
  | { readonly table?: undefined; readonly problem: TomlProblem } {
  assertTomlWithin(text, limits, what)
  let table: TomlTable
  try {
    table = parse(text, { maxDepth: limits.maxDepth })
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const { line, column } = cause
    // The error's own message repeats its code block.
    const message = cause.message.replace(/^Invalid TOML document: /, '').replace(/\n\n[^]*$/, '')
    return { problem: { message, line, column, cause } }
  }
  assertDepth(table, what, limits)
  return { table }
}

/** Also for the parts of a header that are arrays of tables, and so two levels. Without recursion. */
function assertDepth(table: TomlTable, what: string, limits: DocumentLimits): void {
  let level: object[] = [table]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limits.maxDepth) throw tooDeep(what, limits)
    const next: object[] = []
    for (const value of level)
      for (const inner of Array.isArray(value) ? (value as unknown[]) : Object.values(value))
        if (typeof inner === 'object' && inner !== null && !isTomlDate(inner)) next.push(inner)
    level = next
  }
}

export function isTomlDate(value: unknown): value is { toISOString(): string } {
  return value instanceof TomlDate
}

/**
 * A document in the order of the table's keys, tables after plain values as TOML demands.
 * @throws `ERR_CONTENT_INVALID` for what TOML has no form for, as keys with half a character.
 */
export function formatToml(table: TomlTable): Uint8Array<ArrayBuffer> {
  let text: string
  try {
    text = stringify(table)
  } catch (cause) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `it can't be written as TOML: ${(cause as Error).message}`,
      { cause },
    )
  }
  return encodeUtf8(text)
}
