import { Miniflare } from 'miniflare'
import { describe, expect, it } from 'vitest'
import { bundle } from './bundle.mjs'
import { notBuilt, portableSubpaths, specifierOf } from './installed.ts'

describe.skipIf(notBuilt !== undefined)('a Worker without compatibility flags', () => {
  it('loads every portable subpath, as built', async () => {
    const imports = portableSubpaths.map(
      (subpath, index) => `import * as m${index} from '${specifierOf(subpath)}'`,
    )
    const names = portableSubpaths.map(
      (subpath, index) => `[${JSON.stringify(subpath)}, Object.keys(m${index}).sort()]`,
    )
    const { text } = await bundle(`${imports.join('\n')}
      export default {
        fetch: () => Response.json({ names: [${names.join(', ')}], node: typeof process + typeof Buffer }),
      }`)
    const miniflare = new Miniflare({
      modules: true,
      script: text,
      compatibilityDate: '2026-03-01',
    })
    try {
      const response = await miniflare.dispatchFetch('http://worker.test/')
      const answer = (await response.json()) as { names: [string, string[]][]; node: string }
      expect(answer.node).toBe('undefinedundefined')
      const inNode = await Promise.all(
        portableSubpaths.map(async (subpath) => {
          const url = new URL(
            `../../dist/${subpath === '.' ? 'index' : subpath.slice(2)}.js`,
            import.meta.url,
          )
          return [subpath, Object.keys((await import(url.href)) as object).toSorted()] as const
        }),
      )
      expect(answer.names).toEqual(inNode)
    } finally {
      await miniflare.dispose()
    }
  })
})
