import { expect, it } from 'vitest'
import { loadApp } from '../../src/spin/source/load-app.ts'
import type { SourceFolder } from '../../src/spin/files/source-folder.ts'
import { manifestOf } from '../fixtures/manifest.ts'

// The author of a manifest chooses patterns that a folder can be walked by in very many ways, or a
// folder that has no end.

/** A folder of the given width and depth, in which `visits` counts what is looked at. */
function tower(more: string, depth: number, names: readonly string[] = ['a']) {
  const counted = { visits: 0 }
  const bytes = (content: string): SourceFolder =>
    ({ kind: 'file', open: async () => new Blob([content]) }) as never
  const folder = (left: number): SourceFolder => ({
    kind: 'folder',
    names: async () => (left > 0 ? names : []),
    async find(name) {
      counted.visits++
      if (left === depth && name === 'spin.toml')
        return bytes(manifestOf({ name: 'x', source: 'app.wasm', more })) as never
      if (left === depth && name === 'app.wasm') return bytes('\0asm') as never
      return left > 0 && names.includes(name) ? folder(left - 1) : undefined
    },
  })
  return { top: folder(depth), counted }
}

it('many wildcards for folders walk each folder once', async () => {
  const pattern = `${'**/*/'.repeat(100)}x`
  const { top, counted } = tower(`files = [${JSON.stringify(pattern)}]`, 60)
  await loadApp(top)
  expect(counted.visits).toBeLessThan(400)
})

it('a folder without an end does', async () => {
  const { top } = tower('files = ["**/*"]', Infinity)
  await expect(loadApp(top, { maxFiles: 500 })).rejects.toMatchObject({
    code: 'ERR_LIMIT_EXCEEDED',
  })
  const { top: long } = tower('files = ["**/*"]', Infinity, ['long'.repeat(60)])
  await expect(loadApp(long)).rejects.toThrow('is there a loop of links?')
})
