import { describe, expect, test } from 'vitest'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import { buildArtifact, createArtifact, tarOf } from '../fixtures/artifact.ts'

// A link, device or folder in an archive stands where a file's content is expected.

describe('a member of an archive that is no file', () => {
  test.each([
    ['hard link', '1'],
    ['symbolic link', '2'],
    ['character device', '3'],
    ['block device', '4'],
    ['folder', '5'],
    ['pipe', '6'],
    ['unknown kind', 'Z'],
  ])('is never content: %s', async (_, type) => {
    const store = createArtifact()
    const files = [{ path: 'a.txt', text: 'content', layer: false }]
    const archives = [tarOf({ 'a.txt': 'content' }, type)]
    const root = await buildArtifact(store, { files, archives })
    await expect((await unpackApp(root, store)).files('web')).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })
})
