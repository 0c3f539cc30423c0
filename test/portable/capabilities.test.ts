import { describe, expect, it } from 'vitest'
import { capabilities, type Runtime } from './capabilities.ts'

// The README's table of runtimes is held to this: see test/docs/tables.test.ts.

const { process, Deno } = globalThis as {
  process?: { versions: { node: string; bun?: string } }
  Deno?: object
}
const runtime: Runtime = runtimeHere()

function runtimeHere(): Runtime {
  if ('document' in globalThis) {
    const { userAgent } = navigator
    if (userAgent.includes('Firefox/')) return 'Firefox'
    return userAgent.includes('Chrome/') ? 'Chromium' : 'WebKit'
  }
  if (Deno !== undefined) return 'Deno'
  if (process?.versions.bun !== undefined) return 'Bun'
  if (process === undefined) return 'workerd'
  return Number(process.versions.node.split('.')[0]) < 24 ? 'Node 20, 22' : 'Node 24, 26'
}

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
