import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createFileStorage } from '../../src/node/storage/file-storage.ts'
import { namesOfKey } from '../../src/node/storage/storage-path.ts'
import { createClient } from '../serve/registry/client.ts'

// Clients choose names of repositories, tags and uploads, which become file paths.
it('never reads or writes outside of its folder', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'spindle-paths-'))
  await writeFile(join(outside, 'secret'), 'secret')
  const client = createClient({ storage: createFileStorage(join(outside, 'registry')) })
  const hostile = [
    '..',
    '../..',
    '%2e%2e',
    '..%2f..',
    '%2e%2e%2f',
    '..%5c',
    '....//',
    '/etc',
    'a/../..',
    '%00',
    'C:',
    '_tags',
    'a/_blobs',
    '.spindle',
    '__proto__',
    'a\\..',
  ]
  for (const name of hostile) {
    for (const path of [
      `/v2/${name}/manifests/x`,
      `/v2/a/manifests/${name}`,
      `/v2/a/blobs/uploads/${name}`,
      `/v2/a/blobs/sha256:${name}`,
    ]) {
      for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
        const response = await client.send(
          method,
          path,
          method === 'PUT' || method === 'PATCH' ? { body: '{}' } : {},
        )
        // The URL parser resolves `..` to the path of the ping.
        const isPing = new URL(path, 'https://x').pathname === '/v2/'
        if (!isPing) expect(response.status, `${method} ${path}`).toBeGreaterThanOrEqual(400)
        expect(await response.text()).not.toContain('secret"')
      }
    }
  }
  for (const query of ['last=../../secret', 'last=%00', 'n=1&last=..']) {
    expect((await client.send('GET', `/v2/_catalog?${query}`)).status).toBe(200)
  }
  expect((await readdir(outside)).filter((name) => name !== 'registry')).toEqual(['secret'])
  await rm(outside, { recursive: true })
})

it('maps every key to portable file names, without collisions', () => {
  const key = fc
    .stringMatching(/^[!-.0-[\]-~]{1,200}$/)
    .filter((text) => text !== '.' && text !== '..')
  fc.assert(
    fc.property(key, key, (one, two) => {
      for (const name of namesOfKey(`${one}/${two}`)) {
        expect(name).toMatch(/^(?!\.)[a-z0-9_+@,.%~=-]{1,255}$/)
        expect(name).not.toMatch(/^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)|\.$/)
      }
      if (one !== two) expect(namesOfKey(one).join('/')).not.toBe(namesOfKey(two).join('/'))
    }),
  )
})
