import { expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { createClient, streamed } from '../serve/registry/client.ts'

// A client says a digest that its bytes do not have, so that others pull what they did not ask for.
it('keeps nothing under a digest that the bytes do not have, on any way in', async () => {
  const storage = createMemoryStorage()
  const client = createClient({ storage })
  const digest = await digestOf(encodeUtf8('good'))
  const open = async (): Promise<string> =>
    (await client.send('POST', '/v2/a/blobs/uploads/')).headers.get('Location')!
  const chunked = await open()
  await client.send('PATCH', chunked, { body: 'ev' })
  await client.send('PATCH', chunked, { body: 'il' })
  const whole = await open()
  await client.send('PATCH', whole, { body: 'evil' })
  const lies: [string, string, string | ReadableStream<Uint8Array>][] = [
    ['POST', `/v2/a/blobs/uploads/?digest=${digest}`, 'evil'],
    ['PUT', `${await open()}?digest=${digest}`, 'evil'],
    ['PUT', `${await open()}?digest=${digest}`, streamed('ev', 'il')],
    ['PUT', `${chunked}?digest=${digest}`, ''],
    ['PUT', `${whole}?digest=${digest}`, ''],
  ]
  for (const [method, path, body] of lies) {
    expect((await client.send(method, path, { body })).status).toBe(400)
  }
  expect((await client.send('GET', `/v2/a/blobs/${digest}`)).status).toBe(404)
  expect((await storage.list('')).entries).toEqual([])
})
