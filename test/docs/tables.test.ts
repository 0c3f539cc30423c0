import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { capabilities } from '../portable/capabilities.ts'
import { executorCases } from '../run/executor-cases.ts'
import { readDocument } from './blocks.ts'
import { tableBelow } from './table.ts'

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
