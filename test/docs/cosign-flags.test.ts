import { describe, expect, it } from 'vitest'
import { ABSENT_FLAGS, IDLE_FLAGS } from '../../src/cli/sign/cosign-flags.ts'
import { readDocument } from './blocks.ts'
import { tableBelow } from './table.ts'

const document = readDocument('docs/cosign-flags.md')

describe("the document about cosign's flags", () => {
  it.each([
    ['## Not here', 'in its place', ABSENT_FLAGS],
    ['## Let pass', 'why', IDLE_FLAGS],
  ])('lists below "%s" what the command knows', (heading, column, flags) => {
    const { rows } = tableBelow(document, heading)
    const written = rows.map((row) => [row['flag'], row['of'], row[column]])
    const known = flags.map(({ flag, of, instead, harmless }) => [
      `\`${flag}${column === 'in its place' && harmless === 'true' ? '=false' : ''}\``,
      of.map((name) => `\`${name}\``).join(' '),
      instead,
    ])
    expect(written).toEqual(known)
  })
})
