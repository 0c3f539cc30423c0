/** What of TOML 1.1 a text uses. */
interface NewerToml {
  readonly start: number
  readonly end: number
  readonly what: string
}

/** Of more nobody reads. */
const MAX_FOUND = 20

const ESCAPE = /\\(?:x[0-9A-Fa-f]{2}|e)|\\[^]/y
const TIME = /\d{2}:\d{2}(?!:?\d)/y

/**
 * Finds what only a parser of TOML 1.1 takes in a text that such a one has accepted: Spin's reads
 * TOML 1.0.
 *
 * @see {@link https://toml.io/en/v1.1.0 TOML 1.1}
 */
export function findNewerToml(text: string): readonly NewerToml[] {
  const found: NewerToml[] = []
  /** Brackets that are open: inline tables and arrays. */
  const open: string[] = []
  const add = (start: number, end: number, what: string): void => {
    if (found.length < MAX_FOUND) found.push({ start, end, what })
  }
  let at = 0
  let lastValue = ''
  while (at < text.length) {
    const char = text[at] as string
    if (char === '#') {
      const end = text.indexOf('\n', at)
      at = end === -1 ? text.length : end
    } else if (char === '"' || char === "'") {
      at = skipString(text, at, add)
      lastValue = char
    } else if (char === '\n') {
      if (open.at(-1) === '{') {
        add(at, at + 1, 'a new line in an inline table')
        // Once for each table is enough.
        open[open.length - 1] = '{ '
      }
      at++
    } else {
      if (char === '{' || char === '[') open.push(char)
      if (char === '}' || char === ']') {
        if (char === '}' && lastValue === ',' && open.at(-1)?.startsWith('{') === true)
          add(at - 1, at, 'a comma after the last entry of an inline table')
        open.pop()
      }
      TIME.lastIndex = at
      // Not the seconds of a time, nor its offset.
      if (/\d/.test(char) && !/[\d:+-]/.test(text[at - 1] ?? '') && TIME.test(text)) {
        add(at, TIME.lastIndex, 'a time without seconds')
        at = TIME.lastIndex
        lastValue = '0'
        continue
      }
      if (!/\s/.test(char)) lastValue = char
      at++
    }
  }
  return found
}

function skipString(
  text: string,
  start: number,
  add: (start: number, end: number, what: string) => void,
): number {
  const quote = text[start] as string
  const isLong = text.startsWith(quote.repeat(3), start)
  const ending = isLong ? quote.repeat(3) : quote
  let at = start + ending.length
  while (at < text.length) {
    if (quote === '"' && text[at] === '\\') {
      ESCAPE.lastIndex = at
      ESCAPE.test(text)
      const end = ESCAPE.lastIndex === 0 ? at + 2 : ESCAPE.lastIndex
      if (text[at + 1] === 'e' || text[at + 1] === 'x')
        add(at, end, `the escape ${text.slice(at, end)}`)
      at = end
    } else if (text.startsWith(ending, at)) {
      at += ending.length
      // Up to two quotes more belong to the string itself.
      while (isLong && text[at] === quote) at++
      return at
    } else at++
  }
  return at
}
