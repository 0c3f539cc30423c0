import { env } from 'cloudflare:test'
import { expect, it } from 'vitest'
import { createR2Storage } from '../../src/serve/storage/r2.ts'
import type { R2BucketBinding } from '../../src/serve/storage/r2.ts'
import { describeStorage } from '../serve/storage/contract.ts'
import { describeBindleInstances } from '../serve/storage/bindle-instances.ts'
import { describeInstances } from '../serve/storage/instances.ts'

const bucket = env.BUCKET as R2BucketBinding
let places = 0
const create = async () => {
  const prefix = `place-${++places}/`
  return {
    storage: createR2Storage(bucket, { prefix }),
    open: () => createR2Storage(bucket, { prefix }),
  }
}

describeStorage('R2', create)
describeInstances('R2', create)
describeBindleInstances('R2', create)

const pieces = (count: number, fail?: Error): ReadableStream<Uint8Array> => {
  let sent = 0
  return new ReadableStream(
    {
      pull(controller) {
        if (sent++ < count) controller.enqueue(new Uint8Array(1_000_000).fill(sent))
        else if (fail === undefined) controller.close()
        else controller.error(fail)
      },
    },
    { highWaterMark: 0 },
  )
}

it.each([{}, { size: 20_000_000 }, { ifAbsent: true }, { ifAbsent: true, size: 20_000_000 }])(
  'takes 20 MB of %o, and reads from their middle',
  async (options) => {
    const { storage } = await create()
    expect((await storage.put('large', pieces(20), options)).stored).toBe(true)
    const value = (await storage.get('large', { range: { offset: 8_999_990, length: 20 } }))!
    expect(value.size).toBe(20_000_000)
    const bytes = new Uint8Array(await new Response(value.body).arrayBuffer())
    expect([...bytes]).toEqual([...Array(10).fill(9), ...Array(10).fill(10)])
    expect(await storage.put('large', pieces(20), { ifAbsent: true })).toEqual({ stored: false })
  },
)

it.each([{}, { ifAbsent: true }, { size: 21_000_000 }, { ifAbsent: true, size: 21_000_000 }])(
  'keeps nothing of 20 MB of %o that break or are too few',
  async (options) => {
    const { storage } = await create()
    const cut = new Error('cut')
    await expect(storage.put('cut', pieces(20, cut), options)).rejects.toBe(cut)
    if ('size' in options)
      await expect(storage.put('short', pieces(20), options)).rejects.toMatchObject({
        code: 'ERR_DIGEST_MISMATCH',
      })
    expect((await storage.list('')).entries).toEqual([])
  },
)

it('stores exactly one of several large values put at once, and leaves no part of the others', async () => {
  const { storage } = await create()
  for (const options of [{ ifAbsent: true }, { ifAbsent: true, size: 10_000_000 }]) {
    const key = `one-${Object.keys(options).length}`
    const results = await Promise.all(
      Array.from({ length: 3 }, () => storage.put(key, pieces(10), options)),
    )
    expect(results.filter(({ stored }) => stored)).toHaveLength(1)
  }
  const left = await bucket.list({ prefix: `place-${places}/`, limit: 100 })
  expect(left.objects.map(({ key }) => key.replace(/^place-\d+\//, ''))).toEqual(['one-1', 'one-2'])
})
