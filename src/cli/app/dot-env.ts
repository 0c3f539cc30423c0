import { CommandError } from '../terminal/io.ts'

/**
 * Parses a `.env` file as the `dotenvy` crate does, which Spin reads it with. `$A` and `${A}` are the
 * environment's value, else one from further up. Without quotes, `#` starts a comment only after a
 * blank. Nothing is special in single quotes. Quoted values can span lines.
 *
 * Unlike Spin, it accepts a byte order mark, and blanks at the end of the file.
 *
 * @param name Of the file, for messages. They show nothing of its content.
 * @throws `CommandError` with the number of the first line that is not a variable.
 * @see https://docs.rs/dotenvy/0.15.7/dotenvy/
 */
export function parseDotEnv(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
  name: string,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  const lookUp = (variable: string): string =>
    (Object.hasOwn(env, variable) ? env[variable] : undefined) ?? values.get(variable) ?? ''
  for (const { line, entry } of entriesOf(text.replace(/^\ufeff/, ''))) {
    const problem = readEntry(entry, values, lookUp)
    if (problem !== undefined) throw new CommandError(`${name}:${line}: ${problem}`)
  }
  return values
}

/** Longest value, in UTF-16 units, with its variables filled in: they can double it from line to line. */
const MAX_VALUE_LENGTH = 1024 * 1024
const BLANK = /\p{White_Space}/u
const OPEN_QUOTE = 'a quote is not closed (in double quotes, write ${NAME} in place of $NAME)'
/** An entry that the end of the file cuts off. */
const CUT_OFF = undefined

interface Entry {
  /** Of its first line, from 1. */
  readonly line: number
  /** Without a comment after a single blank. */
  readonly entry: string | typeof CUT_OFF
}

/** Splits a file into entries: at line breaks outside of quotes. Comment lines are left out. */
function* entriesOf(text: string): Generator<Entry> {
  let line = 1
  for (let start = 0; start < text.length;) {
    const lineEnd = endOfLine(text, start)
    if (/^\p{White_Space}*#/u.test(text.slice(start, lineEnd))) {
      start = lineEnd + 1
      line++
      continue
    }
    const end = endOfEntry(text, start)
    yield { line, entry: end === CUT_OFF ? CUT_OFF : text.slice(start, end) }
    if (end === CUT_OFF) return
    const next = endOfLine(text, end) + 1
    for (let at = start; (at = text.indexOf('\n', at) + 1) > 0 && at <= next;) line++
    start = next
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from)
  return end === -1 ? text.length : end
}

/** Where its line break or comment is. Backslashes count in single quotes too, though not in values. */
function endOfEntry(text: string, start: number): number | typeof CUT_OFF {
  let quote = ''
  let isAfterBlank = false
  for (let at = start; at < text.length; at++) {
    const char = text[at] as string
    if (char === '\\') {
      isAfterBlank = false
      if (++at === text.length) return CUT_OFF
      // A line break can't be escaped outside of quotes.
      if (quote === '' && text[at] === '\n') return at
    } else if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '\n' || (char === '#' && isAfterBlank)) {
      return at
    } else {
      if (char === '"' || char === "'") quote = char
      // The second of two blanks is not one, in the original.
      isAfterBlank = !isAfterBlank && char !== '\r' && BLANK.test(char)
    }
  }
  return quote === '' ? text.length : CUT_OFF
}

/** Keeps the variable of an entry, if it has one. Returns what is wrong with it. */
function readEntry(
  entry: Entry['entry'],
  values: Map<string, string>,
  lookUp: (variable: string) => string,
): string | undefined {
  if (entry === CUT_OFF) return OPEN_QUOTE
  const text = trimBlanks(entry)
  if (text === '' || text.startsWith('#')) return undefined
  const parts =
    /^(?:export\p{White_Space}+(?!=))?([A-Za-z_][A-Za-z0-9_.]*)\p{White_Space}*=\p{White_Space}*([^]*)$/u.exec(
      text,
    )
  if (parts === null) return 'expected KEY=VALUE'
  const [, key = '', written = ''] = parts
  const value = written.startsWith('#') ? { text: '' } : readValue(written, lookUp)
  if ('problem' in value) return value.problem
  values.set(key, value.text)
  return undefined
}

function trimBlanks(text: string): string {
  let [start, end] = [0, text.length]
  while (start < end && BLANK.test(text[start] as string)) start++
  while (end > start && BLANK.test(text[end - 1] as string)) end--
  return text.slice(start, end)
}

function readValue(
  written: string,
  lookUp: (variable: string) => string,
): { readonly text: string } | { readonly problem: string } {
  const chars = [...written]
  let text = ''
  let quote = ''
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string
    if (quote === "'") {
      if (char === quote) quote = ''
      else text += char
    } else if (char === '$') {
      const variable = readVariable(chars, at + 1)
      if (variable === undefined) return { problem: '"${" is not closed with "}"' }
      text += lookUp(variable.name)
      if (text.length > MAX_VALUE_LENGTH)
        return {
          problem: `with its variables filled in, the value is longer than ${MAX_VALUE_LENGTH} characters`,
        }
      at = variable.end
      // The character after a name without braces is itself, also a quote.
      const after = chars[at + 1]
      if (!variable.hasBraces && after !== undefined && after !== '$') {
        text += after
        at++
      }
    } else if (char === '\\') {
      const escaped = chars[++at]
      if (escaped !== undefined && !'\\\'"$ n'.includes(escaped))
        return {
          problem: String.raw`a backslash must be followed by \ ' " $ n or a space; double it, or use single quotes`,
        }
      text += escaped === 'n' ? '\n' : (escaped ?? '')
    } else if (char === quote) {
      quote = ''
    } else if (quote !== '') {
      text += char
    } else if (char === '"' || char === "'") {
      quote = char
    } else if (char === ' ' || char === '\t') {
      return /^[ \t]*(?:#|$)/.test(chars.slice(at).join(''))
        ? { text }
        : { problem: 'unexpected text after the value; quote a value that contains spaces' }
    } else {
      text += char
    }
  }
  return quote === '' ? { text } : { problem: OPEN_QUOTE }
}

/** A variable's name after `$`, and where it ends; `undefined` when its brace is never closed. */
function readVariable(
  chars: readonly string[],
  start: number,
): { readonly name: string; readonly end: number; readonly hasBraces: boolean } | undefined {
  if (chars[start] === '{') {
    const close = chars.indexOf('}', start)
    if (close === -1) return undefined
    return { name: chars.slice(start + 1, close).join(''), end: close, hasBraces: true }
  }
  let end = start
  while (/[\p{Alphabetic}\p{N}]/u.test(chars[end] ?? '')) end++
  return { name: chars.slice(start, end).join(''), end: end - 1, hasBraces: false }
}
