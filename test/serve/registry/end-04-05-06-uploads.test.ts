import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../../src/bytes/text.ts'
import { freshStorage } from '../storage/fresh.ts'
import { codeOf, createClient, streamed } from './client.ts'
import type { Client } from './client.ts'

const UPLOADS = '/v2/a/blobs/uploads/'

async function open(client: Client): Promise<string> {
  const response = await client.send('POST', UPLOADS)
  expect(response.status).toBe(202)
  return response.headers.get('Location')!
}

describe('end-4b: POST ?digest=', () => {
  it('accepts a blob in one request', async () => {
    const client = createClient()
    for (const text of ['hello', '']) {
      const digest = await digestOf(encodeUtf8(text))
      const response = await client.send('POST', `${UPLOADS}?digest=${digest}`, { body: text })
      expect(response.status).toBe(201)
      expect(response.headers.get('Location')).toBe(`/v2/a/blobs/${digest}`)
      expect(response.headers.get('Docker-Content-Digest')).toBe(digest)
      expect(await (await client.send('GET', `/v2/a/blobs/${digest}`)).text()).toBe(text)
    }
  })

  it('accepts sha512', async () => {
    const client = createClient()
    const digest = await digestOf(encodeUtf8('hello'), 'sha512')
    expect(
      (await client.send('POST', `${UPLOADS}?digest=${digest}`, { body: streamed('hel', 'lo') }))
        .status,
    ).toBe(201)
    expect(await (await client.send('GET', `/v2/a/blobs/${digest}`)).text()).toBe('hello')
  })
})

describe('end-4a, 6: POST, then PUT', () => {
  it('opens a session and accepts the blob, streamed or not', async () => {
    const client = createClient()
    for (const body of [encodeUtf8('hello'), streamed('hel', 'lo')]) {
      const location = await open(client)
      expect(location).toMatch(/^\/v2\/a\/blobs\/uploads\/[0-9a-f-]{36}$/)
      const digest = await digestOf(encodeUtf8('hello'))
      const response = await client.send('PUT', `${location}?digest=${digest}`, { body })
      expect(response.status).toBe(201)
      expect(response.headers.get('Location')).toBe(`/v2/a/blobs/${digest}`)
      expect((await client.send('GET', location)).status).toBe(404)
    }
  })

  it('rejects a digest that does not match the content, and stores nothing', async () => {
    const storage = freshStorage()
    const client = createClient({ storage })
    const digest = await digestOf(encodeUtf8('other'))
    for (const body of ['hello', streamed('hel', 'lo')]) {
      const response = await client.send('PUT', `${await open(client)}?digest=${digest}`, { body })
      expect(response.status).toBe(400)
      expect(await codeOf(response)).toBe('DIGEST_INVALID')
    }
    expect((await storage.list('')).entries).toEqual([])
  })

  it('rejects a missing or invalid digest', async () => {
    const client = createClient()
    for (const query of ['', '?digest=x', `?digest=md5:${'0'.repeat(32)}`]) {
      const response = await client.send('PUT', `${await open(client)}${query}`, { body: 'hello' })
      expect([response.status, await codeOf(response)]).toEqual([400, 'DIGEST_INVALID'])
    }
  })

  it('finds a session only in its own repository', async () => {
    const client = createClient()
    const location = await open(client)
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const response = await client.send(
        method,
        location.replace('/a/', '/b/'),
        method === 'PATCH' ? { body: 'x' } : {},
      )
      expect([response.status, await codeOf(response)]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
    }
  })
})

describe('end-5: PATCH', () => {
  const chunk = (
    first: number,
    text: string,
  ): { headers: Record<string, string>; body: string } => ({
    headers: {
      'Content-Range': `${first}-${first + text.length - 1}`,
      'Content-Length': String(text.length),
    },
    body: text,
  })

  it('accepts chunks in order, the last one with PUT or before it', async () => {
    const client = createClient()
    const digest = await digestOf(encodeUtf8('hello world'))
    for (const last of [' world', '']) {
      const location = await open(client)
      const first = await client.send('PATCH', location, chunk(0, 'hello'))
      expect([first.status, first.headers.get('Range'), first.headers.get('Location')]).toEqual([
        202,
        '0-4',
        location,
      ])
      if (last === '')
        expect(
          (await client.send('PATCH', location, chunk(5, ' world'))).headers.get('Range'),
        ).toBe('0-10')
      const response = await client.send(
        'PUT',
        `${location}?digest=${digest}`,
        last === '' ? {} : chunk(5, last),
      )
      expect(response.status).toBe(201)
      expect(await (await client.send('GET', `/v2/a/blobs/${digest}`)).text()).toBe('hello world')
    }
  })

  it('accepts the whole blob as one stream', async () => {
    const client = createClient()
    const location = await open(client)
    expect(
      (await client.send('PATCH', location, { body: streamed('hel', 'lo') })).headers.get('Range'),
    ).toBe('0-4')
    const digest = await digestOf(encodeUtf8('hello'))
    expect((await client.send('PUT', `${location}?digest=${digest}`)).status).toBe(201)
    expect(await (await client.send('GET', `/v2/a/blobs/${digest}`)).text()).toBe('hello')
  })

  it('verifies the digest of a single chunk', async () => {
    const client = createClient()
    const location = await open(client)
    await client.send('PATCH', location, { body: 'hello' })
    const response = await client.send(
      'PUT',
      `${location}?digest=${await digestOf(encodeUtf8('other'))}`,
    )
    expect([response.status, await codeOf(response)]).toEqual([400, 'DIGEST_INVALID'])
  })

  it('answers 416 to a chunk out of order, with the current offset', async () => {
    const client = createClient()
    const location = await open(client)
    expect((await client.send('PATCH', location, chunk(3, 'lo'))).status).toBe(416)
    await client.send('PATCH', location, chunk(0, 'hel'))
    for (const first of [0, 2, 4]) {
      const response = await client.send('PATCH', location, chunk(first, 'lo'))
      expect([
        response.status,
        response.headers.get('Range'),
        response.headers.get('Location'),
      ]).toEqual([416, '0-2', location])
    }
    const digest = await digestOf(encodeUtf8('hello'))
    expect((await client.send('PUT', `${location}?digest=${digest}`, chunk(4, 'o'))).status).toBe(
      416,
    )
    expect((await client.send('PUT', `${location}?digest=${digest}`, chunk(3, 'lo'))).status).toBe(
      201,
    )
  })

  it('stores exactly one of two chunks for the same offset', async () => {
    const client = createClient()
    const location = await open(client)
    const answers = await Promise.all(
      ['one', 'two', 'six'].map((text) => client.send('PATCH', location, chunk(0, text))),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 416, 416])
    expect((await client.send('GET', location)).headers.get('Range')).toBe('0-2')
  })

  it('rejects a chunk of another length than announced, and continues from the previous offset', async () => {
    const client = createClient()
    const location = await open(client)
    for (const body of [streamed('he'), streamed('hello!')]) {
      const response = await client.send('PATCH', location, {
        headers: { 'Content-Range': '0-4' },
        body,
      })
      expect([400, 413]).toContain(response.status)
      expect(await codeOf(response)).toBe('SIZE_INVALID')
    }
    const wrong = await client.send('PATCH', location, {
      headers: { 'Content-Range': '0-4', 'Content-Length': '3' },
      body: 'hel',
    })
    expect([wrong.status, await codeOf(wrong)]).toEqual([400, 'SIZE_INVALID'])
    expect(
      (await client.send('PATCH', location, { headers: { 'Content-Range': 'x' }, body: 'hello' }))
        .status,
    ).toBe(400)
    expect((await client.send('PATCH', location, chunk(0, 'hello'))).status).toBe(202)
  })

  it('ignores an empty chunk', async () => {
    const client = createClient()
    const location = await open(client)
    for (const body of ['', streamed()])
      expect((await client.send('PATCH', location, { body })).status).toBe(202)
    expect((await client.send('PATCH', location, { body: 'hello' })).headers.get('Range')).toBe(
      '0-4',
    )
  })
})

describe('end-13, 14: state and cancelling of an upload', () => {
  it('returns the offset, so that an interrupted upload can be resumed', async () => {
    const client = createClient()
    const location = await open(client)
    expect((await client.send('GET', location)).headers.get('Range')).toBe('0-0')
    await client.send('PATCH', location, { body: 'hel' })
    const state = await client.send('GET', location)
    expect([state.status, state.headers.get('Range'), state.headers.get('Location')]).toEqual([
      204,
      '0-2',
      location,
    ])
    const digest = await digestOf(encodeUtf8('hello'))
    expect(
      (
        await client.send('PUT', `${location}?digest=${digest}`, {
          headers: { 'Content-Range': '3-4' },
          body: 'lo',
        })
      ).status,
    ).toBe(201)
  })

  it('resumes in another process with the same storage', async () => {
    const storage = freshStorage()
    const [one, two] = [createClient({ storage }), createClient({ storage })]
    const location = await open(one)
    await two.send('PATCH', location, { body: 'hel' })
    await one.send('PATCH', location, { body: 'lo' })
    const digest = await digestOf(encodeUtf8('hello'))
    expect((await two.send('PUT', `${location}?digest=${digest}`)).status).toBe(201)
    expect(await (await one.send('GET', `/v2/a/blobs/${digest}`)).text()).toBe('hello')
  })

  it('removes a cancelled upload and all its bytes', async () => {
    const storage = freshStorage()
    const client = createClient({ storage })
    const location = await open(client)
    await client.send('PATCH', location, { body: 'hello' })
    expect((await client.send('DELETE', location)).status).toBe(204)
    expect((await client.send('GET', location)).status).toBe(404)
    expect((await client.send('DELETE', location)).status).toBe(404)
    expect((await storage.list('')).entries).toEqual([])
  })

  it('removes inactive uploads', async () => {
    const storage = freshStorage()
    const client = createClient({ storage, uploadTtl: 20 })
    const location = await open(client)
    await client.send('PATCH', location, { body: 'hello' })
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect((await client.send('GET', location)).status).toBe(404)
    await open(client)
    const { entries } = await storage.list('uploads/')
    expect(entries).toHaveLength(1)
    expect(entries[0]!.key).not.toContain(location.split('/').at(-1))
  })
})

describe('concurrent uploads of one blob', () => {
  it('all succeed, and the blob is stored once', async () => {
    const storage = freshStorage()
    const clients = [createClient({ storage }), createClient({ storage })]
    const bytes = new Uint8Array(1_500_000).map((_, i) => i)
    const digest = await digestOf(bytes)
    const pushes = Array.from({ length: 8 }, async (_, i) => {
      const client = clients[i % 2]!
      const location = await open(client)
      const body = i % 3 === 0 ? bytes : new Blob([bytes]).stream()
      return (await client.send('PUT', `${location}?digest=${digest}`, { body })).status
    })
    expect(await Promise.all(pushes)).toEqual(Array(8).fill(201))
    expect((await storage.list('blobs/')).entries).toHaveLength(1)
    expect((await storage.list('uploads/')).entries).toEqual([])
  })

  it('discards an interrupted body and accepts the next attempt', async () => {
    const storage = freshStorage()
    const client = createClient({ storage })
    const bytes = new Uint8Array(2_000_000)
    const digest = await digestOf(bytes)
    const location = await open(client)
    let sent = 0
    const cut = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ === 0) controller.enqueue(bytes.subarray(0, 1_200_000))
        else controller.error(new Error('gone'))
      },
    })
    const response = await client.send('PUT', `${location}?digest=${digest}`, { body: cut })
    expect([response.status, await codeOf(response)]).toEqual([400, 'BLOB_UPLOAD_INVALID'])
    expect((await storage.list('blobs/')).entries).toEqual([])
    expect((await client.send('PUT', `${location}?digest=${digest}`, { body: bytes })).status).toBe(
      201,
    )
  })
})
