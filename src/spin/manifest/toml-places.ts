import { isBare } from '../../bytes/toml-limits.ts'

/** Where a key and its value stand, as offsets into the text. */
export interface TomlPlace {
  readonly keyStart: number
  readonly keyEnd: number
  /** For tables made by a header or a dotted key: the same as the key. */
  readonly valueStart: number
  readonly valueEnd: number
  /** Elements of arrays by their index in decimal. */
  readonly children: ReadonlyMap<string, TomlPlace>
}

interface Place {
  keyStart: number
  keyEnd: number
  valueStart: number
  valueEnd: number
  /** `NO_CHILDREN` until there is one: most places never have any. */
  children: Map<string, Place>
  /** Made by `[[…]]`: a later header goes into the last element. */
  isTableArray: boolean
}

interface Key {
  readonly name: string
  readonly start: number
  readonly end: number
}

interface Scanner {
  readonly text: string
  at: number
}

const NO_CHILDREN: Map<string, Place> = new Map()

/**
 * Finds the place of every key and value of a TOML document that a parser has accepted.
 *
 * TOML parsers give values without places. This reads only so much of the grammar as tells where
 * things begin and end; about a document that is not valid it says nothing of worth.
 */
export function findTomlPlaces(text: string): TomlPlace {
  const root = createPlace(0, 0)
  const scanner: Scanner = { text, at: text.charCodeAt(0) === 0xfeff ? 1 : 0 }
  let table = root
  for (skipBlank(scanner); scanner.at < text.length; skipBlank(scanner)) {
    const before = scanner.at
    if (text[scanner.at] === '[') table = readHeader(scanner, root)
    else readPair(scanner, table)
    // Only an invalid document stands still.
    if (scanner.at === before) break
  }
  return root
}

function createPlace(start: number, end: number): Place {
  return {
    keyStart: start,
    keyEnd: end,
    valueStart: start,
    valueEnd: end,
    children: NO_CHILDREN,
    isTableArray: false,
  }
}

function addChild(parent: Place, name: string, child: Place): void {
  if (parent.children === NO_CHILDREN) parent.children = new Map()
  parent.children.set(name, child)
}

function readHeader(scanner: Scanner, root: Place): Place {
  const isArray = scanner.text[scanner.at + 1] === '['
  scanner.at += isArray ? 2 : 1
  const keys = readKeys(scanner, ']')
  scanner.at += isArray ? 2 : 1
  const last = keys.at(-1)
  if (last === undefined) return root
  const target = descend(root, keys)
  if (!isArray) {
    // The header is a better place for a table than the key of a table within it that came before.
    target.keyStart = target.valueStart = last.start
    target.keyEnd = target.valueEnd = last.end
    return target
  }
  target.isTableArray = true
  const element = createPlace(last.start, last.end)
  addChild(target, String(target.children.size), element)
  return element
}

/** Goes down from a table by the keys of a header or a pair, making what isn't there. */
function descend(from: Place, keys: readonly Key[]): Place {
  let place = from
  for (const [index, key] of keys.entries()) {
    let next = place.children.get(key.name)
    if (next === undefined) {
      next = createPlace(key.start, key.end)
      addChild(place, key.name, next)
    }
    place = next
    if (place.isTableArray && index < keys.length - 1) {
      place = place.children.get(String(place.children.size - 1)) ?? place
    }
  }
  return place
}

function readPair(scanner: Scanner, table: Place): void {
  const keys = readKeys(scanner, '=')
  const last = keys.at(-1)
  const place = descend(table, keys)
  if (last !== undefined) {
    place.keyStart = last.start
    place.keyEnd = last.end
  }
  if (scanner.text[scanner.at] === '=') scanner.at++
  skipSpaces(scanner)
  readValue(scanner, place)
}

/** Dotted keys up to `end`, which is not taken. */
function readKeys(scanner: Scanner, end: string): Key[] {
  const { text } = scanner
  const keys: Key[] = []
  for (;;) {
    skipSpaces(scanner)
    const char = text[scanner.at]
    if (char === undefined || char === end || char === '\n') return keys
    const start = scanner.at
    if (char === '"' || char === "'") {
      skipString(scanner)
      keys.push({ name: unquoteKey(text.slice(start, scanner.at)), start, end: scanner.at })
    } else {
      scanner.at++
      if (char !== '.') while (isBare(text.charCodeAt(scanner.at))) scanner.at++
      if (char !== '.') keys.push({ name: text.slice(start, scanner.at), start, end: scanner.at })
    }
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  e: '\u001b',
  '"': '"',
  '\\': '\\',
}

/** The name that a quoted key stands for. */
function unquoteKey(quoted: string): string {
  const inner = quoted.slice(1, -1)
  if (quoted.startsWith("'")) return inner
  return inner.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gs,
    (all, x?: string, u?: string, long?: string, char?: string) => {
      const hex = x ?? u ?? long
      if (hex !== undefined)
        return String.fromCodePoint(Math.min(Number.parseInt(hex, 16), 0x10ffff))
      return ESCAPES[char ?? ''] ?? all
    },
  )
}

function readValue(scanner: Scanner, place: Place): void {
  const { text } = scanner
  place.valueStart = scanner.at
  const char = text[scanner.at]
  if (char === '"' || char === "'") skipString(scanner)
  else if (char === '[') readArray(scanner, place)
  else if (char === '{') readInlineTable(scanner, place)
  else skipPlain(scanner)
  place.valueEnd = scanner.at
}

function readArray(scanner: Scanner, place: Place): void {
  const { text } = scanner
  scanner.at++
  for (;;) {
    skipBlank(scanner)
    const char = text[scanner.at]
    if (char === undefined) return
    if (char === ']' || char === ',') {
      scanner.at++
      if (char === ']') return
      continue
    }
    const element = createPlace(scanner.at, scanner.at)
    addChild(place, String(place.children.size), element)
    const start = scanner.at
    readValue(scanner, element)
    element.keyEnd = scanner.at
    if (scanner.at === start) return
  }
}

function readInlineTable(scanner: Scanner, place: Place): void {
  const { text } = scanner
  scanner.at++
  for (;;) {
    skipBlank(scanner)
    const char = text[scanner.at]
    if (char === undefined) return
    if (char === '}' || char === ',') {
      scanner.at++
      if (char === '}') return
      continue
    }
    const start = scanner.at
    readPair(scanner, place)
    if (scanner.at === start) return
  }
}

/** Blanks, `,`, `]`, `}` and `#`. */
function endsPlain(code: number): boolean {
  return code <= 0x20 || code === 0x2c || code === 0x5d || code === 0x7d || code === 0x23
}

/** A number, date or boolean. Dates may have one space before their time. */
function skipPlain(scanner: Scanner): void {
  const { text } = scanner
  while (scanner.at < text.length && !endsPlain(text.charCodeAt(scanner.at))) scanner.at++
  if (
    text[scanner.at] === ' ' &&
    /^\d{4}-\d{2}-\d{2} \d{2}:/.test(text.slice(scanner.at - 10, scanner.at + 4))
  ) {
    scanner.at++
    skipPlain(scanner)
  }
}

function skipString(scanner: Scanner): void {
  const { text } = scanner
  const quote = text.charCodeAt(scanner.at)
  const isQuote = (at: number): boolean => text.charCodeAt(at) === quote
  const isMultiline = isQuote(scanner.at + 1) && isQuote(scanner.at + 2)
  let at = scanner.at + (isMultiline ? 3 : 1)
  while (at < text.length) {
    if (isQuote(at) && (!isMultiline || (isQuote(at + 1) && isQuote(at + 2)))) break
    at += quote === 0x22 && text.charCodeAt(at) === 0x5c ? 2 : 1
  }
  scanner.at = Math.min(at + (isMultiline ? 3 : 1), text.length)
  // Up to two quotes may stand right before the closing three.
  for (let more = 0; isMultiline && more < 2 && isQuote(scanner.at); more++) scanner.at++
}

function skipSpaces(scanner: Scanner): void {
  while (scanner.text[scanner.at] === ' ' || scanner.text[scanner.at] === '\t') scanner.at++
}

/** Spaces, line ends and comments. */
function skipBlank(scanner: Scanner): void {
  for (;;) {
    while (isBlank(scanner.text.charCodeAt(scanner.at))) scanner.at++
    if (scanner.text[scanner.at] !== '#') return
    const end = scanner.text.indexOf('\n', scanner.at)
    scanner.at = end === -1 ? scanner.text.length : end
  }
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d
}
