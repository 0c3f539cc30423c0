import { describe, expect, it } from 'vitest'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { createClient, OCI_INDEX } from '../serve/registry/client.ts'

// An endless body must be aborted as soon as it exceeds the limit, and discarded.
function endless(): { body: ReadableStream<Uint8Array>; sent: () => number } {
  let sent = 0
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        sent += 65_536
        if (sent > 100_000_000) controller.error(new Error('read far too much'))
        else controller.enqueue(new Uint8Array(65_536))
      },
    },
    { highWaterMark: 0 },
  )
  return { body, sent: () => sent }
}

describe('endless bodies', () => {
  it('are rejected as blobs by every endpoint', async () => {
    const storage = createMemoryStorage()
    const client = createClient({ storage, maxBlobBytes: 1_000_000 })
    const location = (await client.send('POST', '/v2/a/blobs/uploads/')).headers.get('Location')!
    const digest = `sha256:${'0'.repeat(64)}`
    for (const [method, path] of [
      ['POST', `/v2/a/blobs/uploads/?digest=${digest}`],
      ['PATCH', location],
      ['PUT', `${location}?digest=${digest}`],
    ] as const) {
      const { body, sent } = endless()
      expect((await client.send(method, path, { body })).status, method).toBe(413)
      expect(sent()).toBeLessThan(2_000_000)
    }
    const said = await client.send('PATCH', location, {
      body: 'x',
      headers: { 'Content-Length': '1000001' },
    })
    expect(said.status).toBe(413)
    expect((await storage.list('blobs/')).entries).toEqual([])
  })

  it('are rejected in many small chunks too', async () => {
    const client = createClient({ maxBlobBytes: 10 })
    const location = (await client.send('POST', '/v2/a/blobs/uploads/')).headers.get('Location')!
    expect((await client.send('PATCH', location, { body: '123456' })).status).toBe(202)
    expect((await client.send('PATCH', location, { body: '123456' })).status).toBe(413)
    expect((await client.send('PATCH', location, { body: '1234' })).status).toBe(202)
  })

  it('are rejected as manifests', async () => {
    const { body, sent } = endless()
    const headers = { 'Content-Type': OCI_INDEX }
    const response = await createClient().send('PUT', '/v2/a/manifests/x', { headers, body })
    expect(response.status).toBe(413)
    expect(sent()).toBeLessThan(6_000_000)
  })
})
