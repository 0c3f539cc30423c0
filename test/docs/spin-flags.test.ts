import { describe, expect, it } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { readDocument } from './blocks.ts'
import { tableBelow } from './table.ts'

const document = readDocument('docs/spin-flags.md')
const flagsBelow = (heading: string): string[] =>
  tableBelow(document, heading).rows.flatMap(({ flag = '' }) => flag.match(/--[\w-]+/g) ?? [])

describe("the document about Spin's flags", () => {
  const io = { env: {}, stdout: {}, stderr: {}, cwd: '/' }
  const program = createProgram(io as unknown as Parameters<typeof createProgram>[0])
  const up = program.commands.find((command) => command.name() === 'up')
  const known = new Set(up?.options.map(({ long }) => long))

  it('lists as here what the command takes', () => {
    expect(flagsBelow('## Here').filter((flag) => !known.has(flag))).toEqual([])
  })

  it('lists as not here what the command refuses', () => {
    expect(flagsBelow('## Not here').filter((flag) => known.has(flag))).toEqual([])
  })
})
