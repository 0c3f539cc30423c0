import { blocksOf } from '../docs/blocks.ts'

/** A command of a transcript, with what has to be printed. */
export interface Step {
  readonly terminal: string
  /** `^C` interrupts what runs in the terminal. */
  readonly command: string
  /** A line that is `…` stands for any lines, within a line for anything. */
  readonly lines: readonly string[]
  readonly code: number
  /** Whether the command goes on when the next step is typed, because `^C` is to end it. */
  readonly runsOn: boolean
}

/** The `console` blocks of a document: `$ command`, what it prints, `[1]` for an exit code that isn't 0. */
export function parseTranscript(document: string): readonly Step[] {
  const steps: Step[] = []
  for (const { language, name: terminal = 'first', text } of blocksOf(document)) {
    if (language !== 'console') continue
    let lines: string[] = []
    for (const line of text.split('\n').slice(0, -1)) {
      const command = /^\$ (.*)$/.exec(line)?.[1] ?? (line === '^C' ? line : undefined)
      const code = /^\[(\d+)\]$/.exec(line)?.[1]
      const last = steps.at(-1)
      if (command !== undefined) {
        lines = []
        steps.push({ terminal, command, lines, code: 0, runsOn: false })
      } else if (last === undefined) throw new Error(`${line} comes before any command`)
      else if (line === '>' || line.startsWith('> '))
        steps[steps.length - 1] = { ...last, command: `${last.command}\n${line.slice(2)}` }
      else if (code === undefined) lines.push(line)
      else steps[steps.length - 1] = { ...last, code: Number(code) }
    }
  }
  return steps.map((step, i) => ({
    ...step,
    runsOn:
      step.command !== '^C' &&
      steps.slice(i + 1).find(({ terminal }) => terminal === step.terminal)?.command === '^C',
  }))
}

/** Names in a transcript for what is only known when it is typed, such as a digest. */
export interface Names {
  /** With each name in its place. */
  fill(text: string): string
  /** Whether the text is what the lines say; names that are new get their value from it. */
  match(lines: readonly string[], text: string): boolean
}

/**
 * @param known Values from the start, by name.
 * @param unknown What the value of a name looks like; `again` takes a new one each time it is printed.
 */
export function createNames(
  known: Readonly<Record<string, string>>,
  unknown: Readonly<Record<string, { readonly pattern: string; readonly again?: boolean }>>,
): Names {
  const values = new Map(Object.entries(known))
  const isNew = (name: string): boolean => !values.has(name) || unknown[name]?.again === true
  const names = [...Object.keys(known), ...Object.keys(unknown)]
  const anyName = new RegExp(names.map(escape).join('|'), 'g')
  return {
    fill: (text) => text.replace(anyName, (name) => values.get(name) ?? name),
    match(lines, text) {
      const found: string[] = []
      const fixed = (part: string): string =>
        part
          .split(/(…)/)
          .map((piece) => (piece === '…' ? '[^\\n]*' : escape(piece)))
          .join('')
      const pattern = lines.map((line) => {
        if (line === '…') return '(?:[^\\n]*\\n)*?'
        let source = ''
        let from = 0
        for (const { 0: name, index } of line.matchAll(anyName)) {
          source += fixed(line.slice(from, index))
          from = index + name.length
          if (!isNew(name)) source += escape(values.get(name) ?? name)
          else if (found.includes(name)) source += `\\${found.indexOf(name) + 1}`
          else source += `(${unknown[name]?.pattern})${(found.push(name), '')}`
        }
        return `${source}${fixed(line.slice(from))}\\n`
      })
      const values_ = new RegExp(`^${pattern.join('')}$`).exec(
        text === '' || text.endsWith('\n') ? text : `${text}\n`,
      )
      if (values_ === null) return false
      found.forEach((name, i) => values.set(name, values_[i + 1] ?? ''))
      return true
    },
  }
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
