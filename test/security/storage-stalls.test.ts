import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createS3Storage, type S3StorageOptions } from '../../src/serve/storage/s3.ts'
import type { FetchLike } from '../../src/types.ts'

// A bucket that does not answer, or sends a byte now and then, held every request of a registry for ever.

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const MINUTES = 30 * 60_000
const never: FetchLike = () => new Promise(() => {})
const drip =
  (init?: ResponseInit): FetchLike =>
  async () => {
    let isLeft = false
    return new Response(
      new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 5000))
            if (!isLeft) controller.enqueue(Uint8Array.of(0x20))
          },
          cancel: () => void (isLeft = true),
        },
        { highWaterMark: 0 },
      ),
      init,
    )
  }
const storage = (fetch: FetchLike, options: Partial<S3StorageOptions> = {}) =>
  createS3Storage({
    endpoint: 'https://s3.test',
    bucket: 'b',
    accessKeyId: 'id',
    secretAccessKey: 'secret',
    fetch,
    ...options,
  })
type Bucket = ReturnType<typeof storage>

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  let outcome: unknown = 'still waiting'
  void work.then(
    () => (outcome = 'done'),
    (error: unknown) => (outcome = error),
  )
  // Signing takes turns of the event loop that no clock counts.
  for (let turns = 0; turns < 100 && outcome === 'still waiting'; turns++) {
    await vi.advanceTimersByTimeAsync(MINUTES / 100)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return outcome
}

const CALLS: ReadonlyArray<readonly [string, (bucket: Bucket) => Promise<unknown>]> = [
  ['head', (bucket) => bucket.head('a')],
  ['get', (bucket) => bucket.get('a')],
  ['put', (bucket) => bucket.put('a', new Uint8Array(10))],
  [
    'put of what must be absent',
    (bucket) => bucket.put('a', new Uint8Array(10), { ifAbsent: true }),
  ],
  ['delete', (bucket) => bucket.delete('a')],
  ['list', (bucket) => bucket.list('a')],
]

it.each(CALLS)('%s ends where the bucket never answers', async (_, call) => {
  vi.useRealTimers()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  expect(await failureOf(call(storage(never)))).toMatchObject({
    code: 'ERR_TIMEOUT',
    message: expect.stringContaining('"timeout"'),
  })
})

it.each([
  ['list', (bucket: Bucket) => bucket.list('a')],
  ['put', (bucket: Bucket) => bucket.put('a', new Uint8Array(10))],
])('%s ends where the answer drips', async (_, call) => {
  vi.useRealTimers()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  expect(await failureOf(call(storage(drip())))).toMatchObject({ code: 'ERR_TIMEOUT' })
})

it('an object that drips is given up, and names the option', async () => {
  vi.useRealTimers()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  const found = await storage(drip()).get('a')
  const work = new Response(found!.body).arrayBuffer()
  expect(await failureOf(work)).toMatchObject({ message: expect.stringContaining('"minRate"') })
})

it.each([{ timeout: 0 }, { timeout: NaN }, { idleTimeout: 0 }, { minRate: -1 }])(
  'refuses %j',
  (options) => {
    expect(() => storage(never, options)).toThrow(TypeError)
  },
)
