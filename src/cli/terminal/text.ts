import { styleText } from 'node:util'
import { escapeUnseen } from '../../bytes/visible.ts'
import { type CliIo, hasColor, type TextOutput } from './io.ts'

/**
 * Untrusted text of several lines, fit for a terminal: what could move the cursor, change colours or
 * turn writing around is shown as its code. Everything that a command prints passes through this
 * function or `printableLine`.
 */
export function printable(text: string): string {
  return text.split('\n').map(printableLine).join('\n')
}

/** Untrusted text for one line: a line break in it is shown as its code too, and forges no line. */
export function printableLine(text: string): string {
  return text.split('\t').map(escapeUnseen).join('\t')
}

const ESCAPE = '\u001b'
/** Select Graphic Rendition: what sets colours and weight of the text that follows, and nothing else. */
const COLOURS = new RegExp(`${ESCAPE}\\[[\\d;:]*m`, 'g')

/** Like `printableLine`, with the colours that are in the text, up to its end. */
export function colouredLine(text: string): string {
  const colours = text.match(COLOURS)
  if (colours === null) return printableLine(text)
  const parts = text.split(COLOURS).map(printableLine)
  return `${parts.map((part, i) => part + (colours[i] ?? '')).join('')}${ESCAPE}[0m`
}

export function withoutColours(text: string): string {
  return text.replace(COLOURS, '')
}

/** Untrusted text after a label: further lines are indented, so that none looks like a line of ours. */
export function printableBlock(text: string): string {
  return text.split('\n').map(printableLine).join('\n  ')
}

/** One argument of a command line to be copied into a POSIX shell. */
export function quoteArgument(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
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
