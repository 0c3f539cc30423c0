import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { capabilities } from '../portable/capabilities.ts'
import { executorCases } from '../run/executor-cases.ts'
import { readDocument } from './blocks.ts'
import { tableBelow, tableOf } from './table.ts'

const readme = readDocument('README.md')

const notes = new Map(
  [...readme.matchAll(/([¹²³⁴⁵⁶⁷⁸⁹]) ([^\s¹²³⁴⁵⁶⁷⁸⁹|][^¹²³⁴⁵⁶⁷⁸⁹|]+)/g)].map(([, mark, text]) => [
    mark,
    text,
  ]),
)

/** A cell is ● where there is no code, and leads to the reason where there is one. */
function expectCell(runtime: string, cell: string | undefined, code: string | undefined): void {
  const [sign = '', mark] = (cell ?? '').split(' ')
  if (code === undefined) expect([runtime, sign]).toEqual([runtime, '●'])
  else {
    expect(['–', '◐']).toContain(sign)
    expect(notes.get(mark ?? ''), `the reason behind ${mark}`).toContain(code)
  }
}

describe("the README's table of runtimes", () => {
  const { columns, rows } = tableBelow(readme, '### Runtimes')
  const runtimes = columns.slice(1, -1)

  it('has a row for each ability that is tried in every runtime, and one for what Node alone has', () => {
    expect(rows.map((row) => row['ability'])).toEqual([
      ...capabilities.map(({ name }) => name),
      'disk, Docker credentials, the command',
    ])
  })

  it.each(capabilities.map((capability) => [capability.name, capability] as const))(
    'says of "%s" what is so',
    (name, { refused = {} }) => {
      const row = rows.find(({ ability }) => ability === name)
      for (const runtime of runtimes)
        expectCell(runtime, row?.[runtime], refused[runtime as keyof typeof refused])
    },
  )
})

describe("the README's table of executors", () => {
  const { columns, rows } = tableBelow(readme, '#### What kinds of component run where')

  it('has a row for each kind of guest that is asked in every runtime', () => {
    expect(rows.map((row) => row['component'])).toEqual(executorCases.map(({ name }) => name))
  })

  it.each(executorCases.map((one) => [one.name, one] as const))(
    'says of "%s" what is so',
    (name, { refused = [] }) => {
      const row = rows.find(({ component }) => component === name)
      for (const runtime of columns.slice(1))
        expectCell(
          runtime,
          row?.[runtime],
          refused.find((one) => one === runtime) && 'ERR_UNSUPPORTED',
        )
    },
  )
})

describe("the README's table of registries", () => {
  it('names each persona, and none that is not there', () => {
    const there = readdirSync(new URL('../../mocks/personas', import.meta.url))
      .map((name) => `mocks/personas/${name}`)
      .filter((path) => /acr|ecr|gar|ghcr|docker-hub|media-type/.test(path))
    const named = [...readme.matchAll(/\((mocks\/personas\/[\w-]+\.ts)\)/g)].map(([, path]) => path)
    expect([...new Set(named)].toSorted()).toEqual(there.toSorted())
  })
})

describe("the README's tables of endpoints", () => {
  /** What the tests that a row links to say. */
  const testsOf = (row: Readonly<Record<string, string>>): readonly string[] =>
    [...(row['test'] ?? '').matchAll(/\]\((.*?)\)/g)].map(([, path = '']) => readDocument(path))

  it('have every endpoint of the distribution specification, each in the test that its row names', () => {
    const { rows } = tableOf(readme, 'distribution specification')
    const numbers = rows.flatMap((row) => {
      const names = (row['distribution specification'] ?? '').split(', ')
      const tested = testsOf(row).flatMap((text) =>
        [...text.matchAll(/^describe\('end-([\w, ]+):/gm)].flatMap(([, ids = '']) =>
          ids.split(', ').map((id) => `end-${id}`),
        ),
      )
      for (const name of names)
        expect(
          tested.some((id) => id === name || id.slice(0, -1) === name),
          `${name} in ${row['test']}`,
        ).toBe(true)
      return names.map((name) => Number.parseInt(name.slice('end-'.length), 10))
    })
    expect([...new Set(numbers)]).toEqual(Array.from({ length: 14 }, (_, i) => i + 1))
  })

  it('have every path that the Bindle server knows, and no other', () => {
    const source = readDocument('src/serve/bindle/path.ts')
    const pathsIn = (text: string): string[] =>
      [...text.matchAll(/[`'/](_\w[\w/]*|bindle-keys|login|healthz)/g)].map(([, path = '']) =>
        path.replace(/\/$/, ''),
      )
    const named = tableOf(readme, 'Bindle').rows.flatMap((row) => pathsIn(row['Bindle'] ?? ''))
    expect([...new Set(named)].toSorted()).toEqual([...new Set(pathsIn(source))].toSorted())
  })
})
