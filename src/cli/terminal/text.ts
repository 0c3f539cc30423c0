import { styleText } from 'node:util'
import { escapeUnseen } from '../../bytes/visible.ts'
import { type CliIo, hasColor, type TextOutput } from './io.ts'

/**
 * Escapes untrusted text of several lines for a terminal: characters that could move the cursor, change
 * colours or the writing direction are shown as codes. All output of commands passes through this
 * function or `printableLine`.
 */
export function printable(text: string): string {
  return text.split('\n').map(printableLine).join('\n')
}

/** Escapes untrusted text for one line. Line breaks are escaped too, so that no line can be forged. */
export function printableLine(text: string): string {
  return text.split('\t').map(escapeUnseen).join('\t')
}

const ESCAPE = '\u001b'
/** Select Graphic Rendition: escape sequences for colours and weight. */
const COLOURS = new RegExp(`${ESCAPE}\\[[\\d;:]*m`, 'g')

/** Like `printableLine`, but keeps colours, and resets them at the end. */
export function colouredLine(text: string): string {
  const colours = text.match(COLOURS)
  if (colours === null) return printableLine(text)
  const parts = text.split(COLOURS).map(printableLine)
  return `${parts.map((part, i) => part + (colours[i] ?? '')).join('')}${ESCAPE}[0m`
}

export function withoutColours(text: string): string {
  return text.replace(COLOURS, '')
}

/** Escapes untrusted text after a label: further lines are indented, so that no message can be forged. */
export function printableBlock(text: string): string {
  return text.split('\n').map(printableLine).join('\n  ')
}

/** Quotes one argument for a POSIX shell. */
export function quoteArgument(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** Default width of a terminal. */
const COLUMNS = 80

export function widthOf(output: TextOutput): number {
  return output.columns ?? COLUMNS
}

/**
 * Rewraps paragraphs with lines longer than a width. Indented lines, such as commands, stay
 * unchanged.
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

/** For example `3.4 MB`: decimal units, as registries use them. */
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

/** For example `1 file`, `3 files`. */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

type Paint = (style: 'red' | 'yellow' | 'cyan' | 'dim' | 'bold', text: string) => string

/** A function that colours text if the output supports it. */
export function paintFor(output: TextOutput, env: CliIo['env']): Paint {
  if (!hasColor(output, env)) return (_, text) => text
  return (style, text) => styleText(style, text, { validateStream: false })
}
