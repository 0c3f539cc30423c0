import { styleText } from 'node:util'
import { type CliIo, hasColor, type TextOutput } from './io.ts'

/**
 * Text that may come from a server or file, fit for a terminal: what could move the cursor, change
 * colours or turn writing around is shown as its code.
 */
export function printable(text: string): string {
  return text.replace(
    /(?![\n\t])[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Columns of a terminal that doesn't say how many it has. */
const COLUMNS = 80

export function widthOf(output: TextOutput): number {
  return output.columns ?? COLUMNS
}

/**
 * Breaks paragraphs anew whose lines are longer than a width. What is indented is typed, or set out
 * already, and stays as it is.
 */
export function wrapProse(text: string, width: number): string {
  return text.replace(/(?:^\S[^\n]*\n)+/gm, (paragraph) => {
    if (paragraph.split('\n').every((line) => line.length <= width)) return paragraph
    const lines = ['']
    for (const word of paragraph.trim().split(/\s+/)) {
      const line = lines.at(-1) ?? ''
      if (line === '') lines[lines.length - 1] = word
      else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`
      else lines.push(word)
    }
    return `${lines.join('\n')}\n`
  })
}

/** As `3.4 MB`: decimal units, as registries count. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  let value = bytes
  let unit = -1
  do {
    value /= 1000
    unit++
  } while (value >= 999.95 && unit < 3)
  return `${value.toFixed(1)} ${['kB', 'MB', 'GB', 'TB'][unit]}`
}

/** As `1 file`, `3 files`. */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

type Paint = (style: 'red' | 'yellow' | 'cyan' | 'dim' | 'bold', text: string) => string

/** Colours where the output takes them. */
export function paintFor(output: TextOutput, env: CliIo['env']): Paint {
  if (!hasColor(output, env)) return (_, text) => text
  return (style, text) => styleText(style, text, { validateStream: false })
}
