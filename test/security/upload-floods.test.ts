import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { codeOf, createClient, streamed, type Client } from '../serve/registry/client.ts'

// Abandoned uploads must neither fill the disk nor block other uploads.

const MINUTE = 60_000

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

const later = (milliseconds: number): void => void vi.setSystemTime(Date.now() + milliseconds)

const open = (client: Client, repository = 'a'): Promise<Response> =>
  client.send('POST', `/v2/${repository}/blobs/uploads/`)
const opened = async (client: Client, repository = 'a'): Promise<string> => {
  const response = await open(client, repository)
  expect(response.status).toBe(202)
  return response.headers.get('Location')!
}

async function expectRefused(response: Response, limit: string): Promise<void> {
  expect(response.status).toBe(429)
  expect(response.headers.get('Retry-After')).toBe('30')
  const text = await response.clone().text()
  expect(await codeOf(response)).toBe('TOOMANYREQUESTS')
  expect(text).toContain(limit)
}

describe('abandoned uploads', () => {
  it('are as many as may be of one repository, and of all', async () => {
    const client = createClient({ maxUploads: 5, maxRepositoryUploads: 3 })
    for (let i = 0; i < 3; i++) await opened(client, 'a')
    await expectRefused(await open(client, 'a'), 'maxRepositoryUploads')
    for (let i = 0; i < 2; i++) await opened(client, 'b')
    await expectRefused(await open(client, 'c'), 'maxUploads')
  })

  it('are limited when they are opened concurrently', async () => {
    const client = createClient({ maxUploads: 5 })
    const answers = await Promise.all(Array.from({ length: 20 }, () => open(client)))
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(5)
  })

  it('free their place when they are finished, cancelled or rejected', async () => {
    const client = createClient({ maxUploads: 1 })
    const digest = await digestOf(encodeUtf8('hello'))
    const first = await opened(client)
    expect((await client.send('PUT', `${first}?digest=${digest}`, { body: 'hello' })).status).toBe(
      201,
    )
    expect((await client.send('DELETE', await opened(client))).status).toBe(204)
    const wrong = await client.send('PUT', `${await opened(client)}?digest=${digest}`, {
      body: 'other',
    })
    expect(wrong.status).toBe(400)
    await opened(client)
    await expectRefused(await open(client), 'maxUploads')
  })

  it('are removed in favour of another upload when idle, the oldest first', async () => {
    const storage = createMemoryStorage()
    const client = createClient({ storage, maxUploads: 2 })
    const oldest = await opened(client)
    later(MINUTE)
    const used = await opened(client)
    await client.send('PATCH', oldest, { body: 'hello' })
    later(16 * MINUTE)
    await client.send('PATCH', used, { body: 'hello' })
    const young = await opened(client)
    expect((await client.send('GET', oldest)).status).toBe(404)
    expect((await client.send('GET', used)).status).toBe(204)
    expect((await client.send('GET', young)).status).toBe(204)
    await expectRefused(await open(client), 'maxUploads')
    const keys = (await storage.list('uploads/')).entries.map(({ key }) => key)
    expect(keys.filter((key) => key.includes(oldest.split('/').at(-1)!))).toEqual([])
  })

  it('of other repositories are not removed in favour of a full repository', async () => {
    const client = createClient({ maxRepositoryUploads: 1 })
    const other = await opened(client, 'b')
    later(16 * MINUTE)
    await opened(client, 'a')
    await expectRefused(await open(client, 'a'), 'maxRepositoryUploads')
    expect((await client.send('GET', other)).status).toBe(204)
  })

  it('count in another instance with the same storage, and after a restart', async () => {
    const storage = createMemoryStorage()
    const options = { storage, maxUploads: 3, maxUploadBytes: 10 }
    const one = createClient(options)
    const location = await opened(one)
    await one.send('PATCH', location, { body: '12345678' })
    const empty = await opened(one)
    const two = createClient(options)
    await opened(two)
    await expectRefused(await open(two), 'maxUploads')
    await expectRefused(await two.send('PATCH', empty, { body: streamed('abc') }), 'maxUploadBytes')
    expect((await one.send('DELETE', location)).status).toBe(204)
    later(MINUTE)
    await opened(two)
  })
})

describe('bytes of abandoned uploads', () => {
  it('are as many as may be of one repository, and of all', async () => {
    const limits = { maxUploadBytes: 20, maxRepositoryUploadBytes: 12 }
    const client = createClient(limits)
    const [one, two] = [await opened(client, 'a'), await opened(client, 'a')]
    expect((await client.send('PATCH', one, { body: '12345678' })).status).toBe(202)
    await expectRefused(
      await client.send('PATCH', two, { body: '12345' }),
      'maxRepositoryUploadBytes',
    )
    await expectRefused(
      await client.send('PATCH', two, { body: streamed('123', '45') }),
      'maxRepositoryUploadBytes',
    )
    expect((await client.send('PATCH', two, { body: '1234' })).status).toBe(202)
    const three = await opened(client, 'b')
    expect((await client.send('PATCH', three, { body: '12345678' })).status).toBe(202)
    await expectRefused(await client.send('PATCH', three, { body: '1' }), 'maxUploadBytes')
    // A rejected chunk leaves nothing, and the upload can still be finished.
    const digest = await digestOf(encodeUtf8('1234'))
    expect((await client.send('PUT', `${two}?digest=${digest}`)).status).toBe(201)
    expect((await client.send('PATCH', three, { body: '1' })).status).toBe(202)
  })

  it('count while they arrive, also for a blob in one request', async () => {
    const client = createClient({ maxUploadBytes: 10, maxRepositoryUploadBytes: 10 })
    let go = (): void => {}
    const waiting = new Promise<void>((resolve) => (go = resolve))
    const slow = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(encodeUtf8('12345678'))
        await waiting
        controller.close()
      },
    })
    const digest = await digestOf(encodeUtf8('12345678'))
    const first = client.send('POST', `/v2/a/blobs/uploads/?digest=${digest}`, { body: slow })
    const location = await opened(client)
    await vi.waitFor(async () =>
      expect((await client.send('PATCH', location, { body: streamed('123') })).status).toBe(429),
    )
    go()
    expect((await first).status).toBe(201)
    expect((await client.send('PATCH', location, { body: 'abc' })).status).toBe(202)
  })

  it('of a blob that could never fit are rejected with 413', async () => {
    const client = createClient({ maxUploadBytes: 10 })
    const response = await client.send('PATCH', await opened(client), { body: '12345678901' })
    expect([response.status, await codeOf(response)]).toEqual([413, 'SIZE_INVALID'])
  })
})

describe('concurrent bodies', () => {
  it('do not exceed the limit of a memory storage', async () => {
    const storage = createMemoryStorage({ maxBytes: 10_000 })
    let go = (): void => {}
    const waiting = new Promise<void>((resolve) => (go = resolve))
    const body = (): ReadableStream<Uint8Array> =>
      new ReadableStream({
        async start(controller) {
          controller.enqueue(new Uint8Array(6000))
          await waiting
          controller.close()
        },
      })
    const first = storage.put('a', body())
    await expect(storage.put('b', body())).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
    go()
    expect(await first).toMatchObject({ stored: true })
    await storage.delete('a')
    expect(await storage.put('b', body())).toMatchObject({ stored: true })
  })
})
