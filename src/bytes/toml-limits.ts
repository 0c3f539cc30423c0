import {
  type DocumentLimits,
  mostPoints,
  POINTS,
  pointsOfLength,
  tooDeep,
  tooManyKeys,
} from './document-limits.ts'

/** Keys directly under one header from which on each counts twice: large tables are slow to grow. */
const LARGE_TABLE = 1024

/** A scalar without quotes that is longer is not looked at closer: no number or date is. */
const MAX_SCALAR_CHARS = 128

const NUMBER =
  /^(?:[+-]?(?:0|[1-9](?:_?[0-9])*)(?:\.[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?|0x[0-9A-Fa-f](?:_?[0-9A-Fa-f])*|0o[0-7](?:_?[0-7])*|0b[01](?:_?[01])*|[+-]?(?:inf|nan)|true|false)$/
const DATE =
  /^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:\d{2})?)?$/
const TIME = /^\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?$/

/** Thrown at what TOML does not have, or what this does not know of it. */
const UNKNOWN: unique symbol = Symbol('unknown')

/**
 * Counts what a parser would build of a TOML text: each part of a dotted key or header is a table,
 * and each element, escape and line costs something. One pass; nothing is kept of the text.
 *
 * It follows the grammar only as far as that is certain. From the first statement on that it does
 * not understand, which a parser refuses as a rule, every character that may make a key, header or
 * element counts as one, in strings and comments too: so it never counts less than a parser builds.
 * @throws `ERR_LIMIT_EXCEEDED`
 */
export function assertTomlWithin(text: string, limits: DocumentLimits, what: string): void {
  const most = mostPoints(limits)
  let points = pointsOfLength(text.length)
  let at = 0
  /** Levels of the table that the last header opened; more if there are arrays of tables on the way. */
  let base = 0
  let keysInTable = 0
  let firstPartEnd = 0
  /** Where the statement begins that is being read. */
  let statement = 0
  let lastName = ''
  let lastArray = ''

  const spend = (more: number): void => {
    points += more
    if (points > most) throw tooManyKeys(what, limits)
  }
  const assertDepth = (depth: number): void => {
    if (depth > limits.maxDepth) throw tooDeep(what, limits)
  }
  const skipSpaces = (): void => {
    while (text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09) at++
  }
  const skipLineEnd = (): boolean => {
    const code = text.charCodeAt(at)
    if (code === 0x0a) at++
    else if (code === 0x0d && text.charCodeAt(at + 1) === 0x0a) at += 2
    else return false
    spend(POINTS.line)
    return true
  }
  const skipComment = (): void => {
    if (text.charCodeAt(at) !== 0x23) return
    const end = text.indexOf('\n', at)
    at = end === -1 ? text.length : end
  }
  /** Spaces, comments and line ends. */
  const skipBlank = (): void => {
    do {
      skipSpaces()
      skipComment()
    } while (skipLineEnd())
  }

  const skipString = (mayBeLong: boolean): void => {
    const quote = text.charCodeAt(at)
    const isLong = text.charCodeAt(at + 1) === quote && text.charCodeAt(at + 2) === quote
    if (isLong && !mayBeLong) throw UNKNOWN
    let end = at + (isLong ? 3 : 1)
    let cost = 0
    for (; ; end++) {
      if (end >= text.length) throw UNKNOWN
      const code = text.charCodeAt(end)
      if (code === quote) {
        if (!isLong) break
        if (text.charCodeAt(end + 1) !== quote || text.charCodeAt(end + 2) !== quote) continue
        // Up to two quotes may stand right before the three that end it.
        for (let more = 0; more < 2 && text.charCodeAt(end + 3) === quote; more++) end++
        end += 2
        break
      }
      if (code === 0x5c && quote === 0x22) {
        cost += POINTS.escape
        if (text.charCodeAt(++end) === 0x0a) cost += POINTS.line
      } else if (code === 0x0a) {
        if (!isLong) throw UNKNOWN
        cost += POINTS.line
      }
    }
    at = end + 1
    spend(cost)
  }
  /** A key up to and with the character that ends it; gives the number of its parts. */
  const readKey = (end: number): number => {
    for (let parts = 1; ; parts++) {
      spend(POINTS.key)
      skipSpaces()
      const code = text.charCodeAt(at)
      if (code === 0x22 || code === 0x27) skipString(false)
      else {
        const start = at
        while (isBare(text.charCodeAt(at))) at++
        if (at === start) throw UNKNOWN
      }
      if (parts === 1) firstPartEnd = at
      skipSpaces()
      const next = text.charCodeAt(at++)
      if (next === end) return parts
      if (next !== 0x2e) throw UNKNOWN
    }
  }
  const readScalar = (): void => {
    const start = at
    while (isScalar(text.charCodeAt(at))) at++
    // A date may be parted from its time by a space.
    if (at - start === 10 && text.charCodeAt(at) === 0x20 && isDigit(text.charCodeAt(at + 1)))
      for (at += 2; isScalar(text.charCodeAt(at));) at++
    if (at - start > MAX_SCALAR_CHARS) throw UNKNOWN
    const scalar = text.slice(start, at)
    const form = scalar[4] === '-' ? DATE : scalar[2] === ':' ? TIME : NUMBER
    if (!form.test(scalar)) throw UNKNOWN
    spend(form === NUMBER ? POINTS.element : 2 * POINTS.element)
    if (scalar.includes('_')) spend(POINTS.escape * (scalar.split('_').length - 1))
  }
  const readValue = (depth: number): void => {
    const code = text.charCodeAt(at)
    if (code === 0x22 || code === 0x27) skipString(true)
    else if (code === 0x5b) readList(depth + 1)
    else if (code === 0x7b) readTable(depth + 1)
    else readScalar()
  }
  const readList = (depth: number): void => {
    assertDepth(depth)
    spend(POINTS.element)
    for (at++; ;) {
      skipBlank()
      if (text.charCodeAt(at) === 0x5d) break
      spend(POINTS.element)
      readValue(depth)
      skipBlank()
      if (text.charCodeAt(at) === 0x2c) at++
      else if (text.charCodeAt(at) !== 0x5d) throw UNKNOWN
    }
    at++
  }
  const readTable = (depth: number): void => {
    assertDepth(depth)
    spend(2 * POINTS.element)
    for (at++; ;) {
      skipBlank()
      if (text.charCodeAt(at) === 0x7d) break
      readPair(depth)
      skipBlank()
      if (text.charCodeAt(at) === 0x2c) at++
      else if (text.charCodeAt(at) !== 0x7d) throw UNKNOWN
    }
    at++
  }
  const readPair = (depth: number): void => {
    const tables = readKey(0x3d) - 1
    assertDepth(depth + tables)
    // A table costs more than a value.
    spend(POINTS.key * tables)
    skipSpaces()
    readValue(depth + tables)
  }
  const readHeader = (): void => {
    const isArray = text.charCodeAt(at + 1) === 0x5b
    const start = (at += isArray ? 2 : 1)
    const parts = readKey(0x5d)
    const path = text.slice(start, at)
    if (isArray && text.charCodeAt(at++) !== 0x5d) throw UNKNOWN
    const name = text.slice(start, firstPartEnd)
    // A table of the root, and the first of an array, are more than one more in what is there.
    if (name !== lastName) spend(1.5 * POINTS.key)
    if (isArray) spend(path === lastArray ? POINTS.key / 2 : 2 * POINTS.key)
    lastName = name
    if (isArray) lastArray = path
    base = parts + (isArray ? 1 : 0)
    assertDepth(base)
    keysInTable = 0
  }

  const readStatements = (): void => {
    if (text.charCodeAt(0) === 0xfeff) at = 1
    for (skipBlank(); at < text.length; skipBlank()) {
      statement = at
      if (text.charCodeAt(at) === 0x5b) readHeader()
      else {
        if (++keysInTable > LARGE_TABLE) spend(POINTS.key)
        readPair(base)
      }
      skipSpaces()
      skipComment()
      if (at < text.length && !skipLineEnd()) throw UNKNOWN
    }
  }

  spend(0)
  try {
    readStatements()
  } catch (error) {
    if (error !== UNKNOWN) throw error
    for (at = statement; at < text.length; at++) {
      const most = mostOf(text.charCodeAt(at))
      if (most > 0) spend(most)
    }
  }
}

/** The most that a character may cost, whatever stands around it. */
function mostOf(code: number): number {
  switch (code) {
    case 0x2e: // .
    case 0x3d: // =
    case 0x5b: // [
      return 2 * POINTS.key
    case 0x2c: // ,
    case 0x7b: // {
      return 3 * POINTS.element
    case 0x0a:
      return POINTS.line
    case 0x5c: // \
    case 0x5f: // _
      return POINTS.escape
    default:
      return 0
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

/** A letter, digit, `-` or `_`. */
export function isBare(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    isDigit(code) ||
    code === 0x2d ||
    code === 0x5f
  )
}

/** What numbers, dates and booleans consist of. */
function isScalar(code: number): boolean {
  return isBare(code) || code === 0x2e || code === 0x3a || code === 0x2b
}
