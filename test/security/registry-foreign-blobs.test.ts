import { describe, expect, it } from 'vitest'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { createClient, streamed } from '../serve/registry/client.ts'

// Blobs are stored once for all repositories: knowing a digest must not give access to the blob.
describe('blobs of other repositories', () => {
  const setUp = async (): Promise<{ client: ReturnType<typeof createClient>; digest: string }> => {
    const storage = createMemoryStorage()
    const { digest } = await createClient({ storage }).blob('secret', 'the secret')
    const client = createClient({
      storage,
      authorize: (_, { repository }) => repository === 'mine',
    })
    return { client, digest }
  }

  it('cannot be read, mounted or linked by their digest', async () => {
    const { client, digest } = await setUp()
    const uploads = '/v2/mine/blobs/uploads/'
    expect((await client.send('GET', `/v2/secret/blobs/${digest}`)).status).toBe(403)
    expect((await client.send('GET', `/v2/mine/blobs/${digest}`)).status).toBe(404)
    for (const query of [
      `mount=${digest}`,
      `mount=${digest}&from=secret`,
      `mount=${digest}&from=mine`,
    ]) {
      expect((await client.send('POST', `${uploads}?${query}`)).status).toBe(202)
    }
    for (const body of ['', 'a guess', streamed('a guess')]) {
      expect((await client.send('POST', `${uploads}?digest=${digest}`, { body })).status).toBe(400)
    }
    expect((await client.send('GET', `/v2/mine/blobs/${digest}`)).status).toBe(404)
  })

  it('are not accessible through a manifest that refers to them', async () => {
    const { client, digest } = await setUp()
    const layer = { mediaType: 'text/plain', digest, size: 10 }
    const manifest = { schemaVersion: 2, config: layer, layers: [layer] }
    expect((await client.manifest('mine', 'v1', manifest)).response.status).toBe(404)
  })
})
