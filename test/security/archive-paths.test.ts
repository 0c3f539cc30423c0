import { describe, expect, test } from 'vitest'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import { buildArtifact, createArtifact, tarOf } from '../fixtures/artifact.ts'

// An archive layer names its members so that unpacking them by name would write anywhere.

describe('names inside an archive', () => {
  test.each([
    '../../evil',
    '/etc/cron.d/evil',
    'C:\\evil',
    'a/../../evil',
    './../evil',
    'other.txt',
  ])('mean nothing: %s', async (name) => {
    const store = createArtifact()
    const files = [{ path: 'site/good.txt', text: 'good', layer: false }]
    const root = await buildArtifact(store, { files, archives: [tarOf({ [name]: 'good' })] })
    const tree = await (await unpackApp(root, store)).files('web')
    expect([...tree.keys()]).toEqual(['site/good.txt'])
  })

  test('bring in nothing that the lock does not name', async () => {
    const store = createArtifact()
    const files = [{ path: 'good.txt', text: 'good', layer: false }]
    const archives = [tarOf({ 'good.txt': 'good', 'extra.txt': 'extra' })]
    const root = await buildArtifact(store, { files, archives })
    expect((await (await unpackApp(root, store)).files('web')).size).toBe(1)
  })
})
