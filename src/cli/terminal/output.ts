import { formatFinding, type Finding } from '../../errors.ts'
import type { CliIo } from './io.ts'
import { paintFor, printable, printableBlock, printableLine } from './text.ts'

/** The output of a command, by purpose. */
export interface Output {
  /** A line on stdout; omitted with `--json`. */
  line(text: string): void
  /** Like `line`, for a text of several lines, such as TOML or JSON. */
  document(text: string): void
  /** The result on stdout with `--json`; omitted otherwise. */
  json(value: unknown): void
  /** A line on stderr. */
  note(text: string): void
  warn(text: string): void
  warnOf(findings: readonly Finding[]): void
}

export function createOutput(io: CliIo, flags: { readonly json?: boolean }): Output {
  const paint = paintFor(io.stderr, io.env)
  const warn = (text: string): void => {
    io.stderr.write(`${paint('yellow', 'warning:')} ${printableBlock(text)}\n`)
  }
  return {
    line: (text) => {
      if (flags.json !== true) io.stdout.write(`${printableLine(text)}\n`)
    },
    document: (text) => {
      if (flags.json !== true) io.stdout.write(`${printable(text)}\n`)
    },
    json: (value) => {
      if (flags.json === true)
        io.stdout.write(`${printable(JSON.stringify(value, undefined, 2))}\n`)
    },
    note: (text) => {
      io.stderr.write(`${printableLine(text)}\n`)
    },
    warn,
    warnOf: (findings) => {
      for (const finding of findings) warn(formatFinding(finding))
    },
  }
}
