import type { Command } from 'commander'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { CliIo } from '../../src/cli/terminal/io.ts'
import { flagFor } from '../../src/cli/terminal/limit-flags.ts'
import { createProgram } from '../../src/cli/program.ts'
import { readDocument } from './blocks.ts'
import { type LimitConstant, readLimits } from './limit-constants.ts'
import { tableBelow } from './table.ts'

const document = readDocument('docs/limits.md')
const settable = tableBelow(document, '## Limits that can be set').rows
const fixed = tableBelow(document, '## Fixed limits').rows
const soft = tableBelow(document, '## Sizes that refuse nothing').rows
const limits = readLimits()

const nameOf = ({ file, name }: LimitConstant): string => `\`${file}\` \`${name}\``
const codeIn = (cell = ''): string | undefined => /^`([^`]+)`/.exec(cell)?.[1]
const flagsIn = (cell = ''): string[] =>
  cell.startsWith('`') ? [...cell.matchAll(/`(--[^`]+)`/g)].map(([, flag = '']) => flag) : []

const source = fileURLToPath(new URL('../../src/', import.meta.url))
const texts = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => readFileSync(source + path, 'utf8'))

const commands: Command[] = []
const walk = (command: Command): void => {
  commands.push(command)
  command.commands.forEach(walk)
}
walk(createProgram({ stdout: {}, stderr: {}, env: {} } as CliIo))
const flags = new Set(commands.flatMap(({ options }) => options.map(({ long }) => long)))

/** What a cell says, in the unit of the constant: bytes, milliseconds or a count. */
function valuesOf(cell = ''): readonly number[] {
  const [number = '', unit = ''] = cell.split(' ')
  const factors: Readonly<Record<string, readonly number[]>> = {
    '': [1],
    bytes: [1],
    KiB: [2 ** 10],
    MiB: [2 ** 20],
    GiB: [2 ** 30],
    ms: [1],
    s: [1000, 1],
    min: [60_000],
    h: [3_600_000],
    d: [86_400_000],
  }
  return (factors[unit] ?? []).map((factor) => Math.round(Number(number) * factor))
}

describe('the table of limits', () => {
  it('has every limit of the source once, and none that is gone', () => {
    const rows = [...settable, ...fixed, ...soft].map(({ constant }) => constant)
    expect(rows.toSorted()).toEqual(limits.map(nameOf).toSorted())
  })

  it('has their values', () => {
    const cells = new Map(
      [...settable, ...fixed, ...soft].map((row) => [
        row['constant'],
        row['default'] ?? row['value'],
      ]),
    )
    for (const limit of limits) {
      const cell = cells.get(nameOf(limit))
      expect(valuesOf(cell), `${nameOf(limit)}: ${cell}`).toContain(Math.round(limit.value))
    }
  })

  it('gives a reason for each that is fixed, and for each without a flag', () => {
    for (const row of fixed) expect(row['why it is fixed'], row['constant']).toMatch(/\w{3}/)
    for (const row of soft) expect(row['what it is'], row['constant']).toMatch(/\w{3}/)
    for (const { flag, constant } of settable)
      expect(flag, constant).toMatch(/^(?:`--[a-z-]+`|–, \S.*$)/)
  })

  it.each(settable.map((row) => [row['option'], row['constant'] as string] as const))(
    'names an option that there is: %s for %s',
    (option) => {
      const name = codeIn(option)?.split('.').at(-1)
      const isOption = new RegExp(`^  (?:readonly )?${name}\\?: `, 'm')
      expect(texts.some((text) => isOption.test(text))).toBe(true)
    },
  )

  it('names flags that there are', () => {
    const named = settable.flatMap(({ flag }) => flagsIn(flag))
    expect(named.filter((flag) => !flags.has(flag))).toEqual([])
    expect(named.length).toBeGreaterThan(20)
  })

  it('has every flag for a limit', () => {
    // Of cosign, and without effect here.
    const named = [...settable.flatMap(({ flag }) => flagsIn(flag)), '--max-workers']
    const given = [...flags].filter((flag) => /^--(?:max|min)-|-timeout$/.test(flag ?? ''))
    expect(given.filter((flag) => !named.includes(flag ?? ''))).toEqual([])
  })
})

describe('an error of a limit that can be set', () => {
  /** Options that errors advise to change. */
  const advised = new Set(
    texts.flatMap((text) =>
      [...text.matchAll(/remedy: \{\s*option: '(\w+)'|tooMuch\([^)]*, '(\w+)'\)/g)].flatMap(
        ([, option, other]) => option ?? other ?? [],
      ),
    ),
  )
  /** What they advise that is no limit. */
  const OTHERS = ['concurrency', 'insecure']

  it('names an option of the table', () => {
    const options = settable.map(({ option }) => codeIn(option))
    expect([...advised].filter((option) => ![...options, ...OTHERS].includes(option))).toEqual([])
    expect(advised.size).toBeGreaterThan(5)
  })

  it.each(
    settable.flatMap(({ option = '', flag }) => {
      const named = codeIn(option)
      const given = codeIn(flag)
      return named !== undefined && given !== undefined && advised.has(named)
        ? [[named, given] as const]
        : []
    }),
  )('names %s in the library, and %s at a shell', (option, flag) => {
    const having = commands.filter(({ options }) => options.some(({ long }) => long === flag))
    expect(having).not.toEqual([])
    // `up` has --timeout of its own, for the application; what it fetches has another.
    const shown = having.map((command) => flagFor({ option, advice: '' }, command))
    const expected = option === 'timeout' ? '--response-timeout' : flag
    expect(new Set(shown.filter((given) => given !== undefined))).toContain(expected)
  })
})
