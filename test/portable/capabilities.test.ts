import { describe, expect, it } from 'vitest'
import { capabilities, type Runtime } from './capabilities.ts'

// The README's table of runtimes is held to this: see test/docs/tables.test.ts.

const { process } = globalThis as { process?: { versions: { node: string } } }
const runtime: Runtime =
  'document' in globalThis
    ? 'Chromium'
    : process === undefined
      ? 'workerd'
      : Number(process.versions.node.split('.')[0]) < 24
        ? 'Node 20, 22'
        : 'Node 24, 26'

describe(`in ${runtime}`, () => {
  it.each(capabilities.map((capability) => [capability.name, capability] as const))(
    '%s',
    async (_, { prove, refused }) => {
      const code = refused?.[runtime]
      if (code === undefined) await prove()
      else await expect(prove()).rejects.toMatchObject({ code })
    },
  )
})
