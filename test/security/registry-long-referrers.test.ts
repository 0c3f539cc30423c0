import { describe, expect, it } from 'vitest'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import type { Storage } from '../../src/serve/storage/port.ts'
import { codeOf, createClient, OCI_INDEX, OCI_MANIFEST } from '../serve/registry/client.ts'

const subject = { mediaType: OCI_MANIFEST, digest: `sha256:${'0'.repeat(64)}`, size: 7 }
const LIST = `/v2/a/referrers/${subject.digest}`

/** An index that refers to the subject, with annotations of the given length. */
const referrer = (letter: string, length: number) => ({
  schemaVersion: 2,
  mediaType: OCI_INDEX,
  manifests: [],
  subject,
  annotations: { long: letter.repeat(length) },
})

// A client that can push could put 4 MiB of annotations into each of 500 referrers.
describe('referrers with long annotations', () => {
  it.each(['', '?artifactType=text/none'])(
    'cost a list no more memory than it answers with: referrers%s',
    async (query) => {
      const storage = createMemoryStorage()
      let read = 0
      const counted: Storage = {
        ...storage,
        async get(key, options) {
          const value = await storage.get(key, options)
          read += value?.size ?? 0
          return value
        },
      }
      const client = createClient({ storage: counted })
      for (const letter of 'abcdefgh') {
        const { response } = await client.manifest('a', undefined, referrer(letter, 1_500_000))
        expect(response.status).toBe(201)
      }
      let pages = 0
      for (let next: string | undefined = `${LIST}${query}`; next !== undefined; pages++) {
        read = 0
        const response = await client.send('GET', next)
        expect(read).toBeLessThan(4 * 1024 * 1024)
        next = /^<([^>]+)>/.exec(response.headers.get('Link') ?? '')?.[1]
      }
      expect(pages).toBe(4)
    },
  )

  it('are rejected if one alone would exceed what clients read', async () => {
    const client = createClient()
    const { response } = await client.manifest('a', undefined, referrer('a', 3_900_000))
    expect([response.status, await codeOf(response)]).toEqual([413, 'SIZE_INVALID'])
    expect(await (await client.send('GET', LIST)).json()).toMatchObject({ manifests: [] })
  })
})
