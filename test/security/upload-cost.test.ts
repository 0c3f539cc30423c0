import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { concat } from '../../src/bytes/stream.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import type { Storage } from '../../src/serve/storage/port.ts'
import { createClient } from '../serve/registry/client.ts'

// An upload of thousands of small chunks: if each cost more than the previous one, one client could
// keep the server busy with chunks that it has sent before.

/** A memory storage that records its calls and the bytes read. */
function createCounting(): { storage: Storage; calls: string[]; bytes: () => number } {
  const inner = createMemoryStorage()
  const calls: string[] = []
  let bytes = 0
  const storage: Storage = {
    async get(key, options) {
      calls.push('get')
      const value = await inner.get(key, options)
      bytes += value?.size ?? 0
      return value
    },
    head: (key) => (calls.push('head'), inner.head(key)),
    put: (key, body, options) => (calls.push('put'), inner.put(key, body, options)),
    delete: (key) => (calls.push('delete'), inner.delete(key)),
    async list(prefix, options) {
      const page = await inner.list(prefix, options)
      calls.push(...page.entries.map(() => 'entry'), 'list')
      return page
    },
  }
  return { storage, calls, bytes: () => bytes }
}

const CHUNKS = 1500

describe('a chunk of an upload', () => {
  it('costs the same after any number of chunks', async () => {
    const { storage, calls, bytes } = createCounting()
    const client = createClient({ storage })
    const open = await client.send('POST', '/v2/a/blobs/uploads/')
    const location = open.headers.get('Location')!
    const chunks = Array.from({ length: CHUNKS }, (_, i) => encodeUtf8(`chunk ${i};`))
    let before = 0
    const costs: string[] = []
    for (const [i, chunk] of chunks.entries()) {
      calls.length = 0
      before = bytes()
      const response = await client.send('PATCH', location, { body: chunk })
      expect(response.status).toBe(202)
      if (i > 0) costs.push(calls.join())
      expect(bytes() - before).toBeLessThan(64)
    }
    expect(new Set(costs).size).toBe(1)
    expect(costs[0]!.split(',').length).toBeLessThan(8)

    calls.length = 0
    const digest = await digestOf(concat(chunks))
    const done = await client.send('PUT', `${location}?digest=${digest}`)
    expect(done.status).toBe(201)
    // Joining and removing the parts takes a few calls per part.
    expect(calls.length).toBeLessThan(6 * CHUNKS)
    expect(await (await client.send('GET', `/v2/a/blobs/${digest}`)).text()).toBe(
      new TextDecoder().decode(concat(chunks)),
    )
  })

  it('has a status request of constant cost', async () => {
    const { storage, calls } = createCounting()
    const client = createClient({ storage })
    const open = await client.send('POST', '/v2/a/blobs/uploads/')
    const location = open.headers.get('Location')!
    for (let i = 0; i < 50; i++) await client.send('PATCH', location, { body: 'x' })
    calls.length = 0
    expect((await client.send('GET', location)).headers.get('Range')).toBe('0-49')
    expect(calls).toEqual(['get', 'head'])
  })
})

describe('a chunk that was stored but not counted, because the server crashed', () => {
  /** Drops the next write of an upload's state. */
  function createDying(): { storage: Storage; die: () => void } {
    const inner = createMemoryStorage()
    let dies = false
    return {
      die: () => (dies = true),
      storage: {
        ...inner,
        async put(key, body, options) {
          if (dies && key.endsWith('/_session')) {
            dies = false
            throw new Error('the power is gone')
          }
          return inner.put(key, body, options)
        },
      },
    }
  }

  it('is counted by the next request', async () => {
    const { storage, die } = createDying()
    const client = createClient({ storage, onError: () => {} })
    const open = await client.send('POST', '/v2/a/blobs/uploads/')
    const location = open.headers.get('Location')!
    await client.send('PATCH', location, { body: 'hel' })
    die()
    expect((await client.send('PATCH', location, { body: 'lo' })).status).toBe(500)
    expect((await client.send('GET', location)).headers.get('Range')).toBe('0-4')
    const digest = await digestOf(encodeUtf8('hello'))
    expect((await client.send('PUT', `${location}?digest=${digest}`)).status).toBe(201)
  })

  it('is not treated as missing when a client sends it again', async () => {
    const { storage, die } = createDying()
    const client = createClient({ storage, onError: () => {} })
    const open = await client.send('POST', '/v2/a/blobs/uploads/')
    const location = open.headers.get('Location')!
    die()
    const chunk = { body: 'hello', headers: { 'Content-Range': '0-4', 'Content-Length': '5' } }
    expect((await client.send('PATCH', location, chunk)).status).toBe(500)
    const again = await client.send('PATCH', location, chunk)
    expect([again.status, again.headers.get('Range')]).toEqual([416, '0-4'])
  })
})

describe('a chunk that arrives while its upload is cancelled', () => {
  it('leaves nothing behind', async () => {
    const inner = createMemoryStorage()
    const during: { cancel?: () => Promise<unknown> } = {}
    const storage: Storage = {
      ...inner,
      async put(key, body, options) {
        const result = await inner.put(key, body, options)
        if (key.includes('/_part/')) await during.cancel?.()
        return result
      },
    }
    const client = createClient({ storage })
    const open = await client.send('POST', '/v2/a/blobs/uploads/')
    const location = open.headers.get('Location')!
    during.cancel = () =>
      inner.delete(`${location.replace('/v2/a/blobs/uploads/', 'uploads/')}/a/_session`)
    expect((await client.send('PATCH', location, { body: 'hello' })).status).toBe(404)
    expect((await inner.list('uploads/')).entries.filter(({ key }) => /part/.test(key))).toEqual([])
  })
})
