import { SpindleError } from '../errors.ts'

/**
 * What a reader of JSON or TOML lets through. Both are counted over the text, before a parser
 * builds anything: a document of 16 MiB of dotted keys becomes 6 GB of tables.
 */
export interface DocumentLimits {
  /** Most keys. What else costs as much as a key counts as one: see `POINTS`. */
  readonly maxKeys: number
  /** Most levels of tables and lists in each other. */
  readonly maxDepth: number
  /** The option that raises `maxKeys`, where there is one. */
  readonly option?: string
}

/**
 * What parts of a document cost a parser and the tree that it builds, by measurement in Node 20: 32
 * points are about 1.2 µs and 400 bytes.
 */
export const POINTS = {
  /** A key of a table; each part of a header. */
  key: 32,
  /** An element of a list, an empty table or list. */
  element: 8,
  /** A character that ends a piece of a string or number, as `\n` or `_` within one. */
  escape: 4,
  /** A line: where an error is, is found by splitting the text into lines. */
  line: 4,
} as const

/** Characters that cost a point: to be decoded, looked at and parsed. */
const CHARS_PER_POINT = 4

/** Bytes of one document: they are held as bytes, as text and as values, 48 MiB in all. */
const MAX_DOCUMENT_BYTES: number = 16 * 1024 * 1024

/** Most bytes of a document. Who lets it have more keys lets it be longer. */
export function documentBytes(maxKeys: number = 0): number {
  return Math.max(MAX_DOCUMENT_BYTES, maxKeys * POINTS.key * CHARS_PER_POINT)
}

/** Points that a text has by its length alone. */
export function pointsOfLength(length: number): number {
  return Math.ceil(length / CHARS_PER_POINT)
}

export function mostPoints({ maxKeys }: DocumentLimits): number {
  return maxKeys * POINTS.key
}

export function tooLong(what: string, most: number, option: string): SpindleError {
  return new SpindleError('ERR_LIMIT_EXCEEDED', `${what} is longer than ${most} bytes`, {
    remedy: { option, advice: 'if it is meant to be, raise %, of which each counts 128 bytes' },
  })
}

export function tooManyKeys(what: string, { maxKeys, option }: DocumentLimits): SpindleError {
  return new SpindleError(
    'ERR_LIMIT_EXCEEDED',
    `${what} has more than ${maxKeys} keys (four list elements, or 128 characters, count as one)`,
    option === undefined
      ? {}
      : { remedy: { option, advice: 'raise % if it is meant to have that many' } },
  )
}

export function tooDeep(what: string, { maxDepth }: DocumentLimits): SpindleError {
  return new SpindleError(
    'ERR_LIMIT_EXCEEDED',
    `${what} nests deeper than ${maxDepth} levels; make it flatter: the limit is fixed`,
  )
}
