/** Longest part of a line that a frame shows, in UTF-16 units: manifests with a bundle pasted in happen. */
const FRAME_WIDTH = 160

interface TextPosition {
  /** From 1. */
  readonly line: number
  /** From 1, in characters (code points). */
  readonly column: number
}

/** Looks up lines and columns of one text. */
export interface TextLines {
  positionOf(offset: number): TextPosition
  /** The line with a caret under `start` up to `end`, or to the end of its line. */
  frameOf(start: number, end: number): string
}

/** Splits a text into lines once, for many positions in it. */
export function createTextLines(text: string): TextLines {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  const lineOf = (offset: number): number => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] as number) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }
  const lineAt = (line: number): string => {
    const next = starts[line + 1]
    const end = next === undefined ? text.length : next - 1
    return text.slice(starts[line], text[end - 1] === '\r' ? end - 1 : end)
  }
  // Positions are asked for in order: a long line is counted once for all that are in it.
  let last = { line: 0, offset: 0, column: 1 }
  const positionOf = (offset: number): TextPosition => {
    const line = lineOf(offset)
    const from =
      last.line === line && last.offset <= offset
        ? last
        : { offset: starts[line] as number, column: 1 }
    const column = from.column + countCharacters(text, from.offset, offset)
    last = { line, offset, column }
    return { line: line + 1, column }
  }
  const frameOf = (start: number, end: number): string => {
    const line = lineOf(start)
    const from = start - (starts[line] as number)
    const whole = lineAt(line)
    const skip = from > FRAME_WIDTH - 20 ? from - 20 : 0
    const shown = whole.slice(skip, skip + FRAME_WIDTH)
    const before = Array.from(shown.slice(0, from - skip))
    const marked = Array.from(
      shown.slice(from - skip, Math.max(end - (starts[line] as number) - skip, from - skip)),
    )
    const number = String(line + 1)
    const margin = ' '.repeat(number.length)
    const indent = before.map((char) => (char === '\t' ? '\t' : ' ')).join('')
    const ellipsis = skip > 0 ? '…' : ''
    return [
      `${margin} |`,
      `${number} | ${ellipsis}${shown}`,
      `${margin} | ${ellipsis && ' '}${indent}${'^'.repeat(Math.max(1, marked.length))}`,
    ].join('\n')
  }
  return { positionOf, frameOf }
}

/** Code points from one offset to another. */
function countCharacters(text: string, from: number, to: number): number {
  let count = 0
  for (let at = from; at < to; count++) at += (text.codePointAt(at) as number) > 0xffff ? 2 : 1
  return count
}
