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
    const end = starts[line + 1]
    return text.slice(starts[line], end === undefined ? undefined : end - 1).replace(/\r$/, '')
  }
  const positionOf = (offset: number): TextPosition => {
    const line = lineOf(offset)
    return { line: line + 1, column: Array.from(text.slice(starts[line], offset)).length + 1 }
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
