import { formatFinding, type Finding } from '../../errors.ts'
import type { CliIo } from './io.ts'
import { paintFor, printable, printableBlock, printableLine } from './text.ts'

/** What a command says, by what it is for. */
export interface Output {
  /** A line for people on stdout; left out when the answer is JSON. */
  line(text: string): void
  /** The same for a text of several lines that a formatter made, as TOML or JSON. */
  document(text: string): void
  /** The answer for programs on stdout; left out when it is for people. */
  json(value: unknown): void
  /** A line beside the answer, on stderr. */
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
