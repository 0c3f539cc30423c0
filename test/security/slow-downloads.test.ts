import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createBindleClient } from '../../src/bindle/client.ts'
import {
  createTimedReader,
  IDLE_TIMEOUT,
  MIN_RATE,
  paceLimitsOf,
} from '../../src/http/timed-reader.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'

// A server that sends a byte now and then was read for ever: each one began the time anew.

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** An answer that sends `size` bytes each `every` milliseconds; for ever, or `count` times. */
function dripping(size: number, every: number, count = Infinity) {
  let sent = 0
  let isLeft = false
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (sent++ === count) return controller.close()
        await new Promise((resolve) => setTimeout(resolve, every))
        if (!isLeft) controller.enqueue(new Uint8Array(size))
      },
      cancel() {
        isLeft = true
      },
    },
    { highWaterMark: 0 },
  )
  return { response: new Response(body), isLeft: () => isLeft }
}

async function readAll(response: Response, options: Parameters<typeof paceLimitsOf>[0] = {}) {
  const began = Date.now()
  const reader = createTimedReader(response, paceLimitsOf(options), 'the download', undefined)
  let bytes = 0
  const work = (async () => {
    for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next())
      bytes += chunk.length
  })().finally(() => reader.end())
  const outcome = work.then(
    () => ({ bytes, error: undefined, took: Date.now() - began }),
    (error: Error) => ({ bytes, error, took: Date.now() - began }),
  )
  await vi.advanceTimersByTimeAsync(60 * 60_000)
  return outcome
}

describe('a download', () => {
  it.each([
    [1, 5000, 'minRate'],
    [1, 59_000, 'minRate'],
    [1000, 1000, 'minRate'],
    [MIN_RATE * 30, 61_000, 'idleTimeout'],
  ])(
    'of %i bytes each %i ms is given up after the idle timeout, by %s',
    async (size, every, option) => {
      const { response, isLeft } = dripping(size, every)
      const { error, took } = await readAll(response)
      expect(error).toMatchObject({ code: 'ERR_TIMEOUT', remedy: { option } })
      expect(took).toBe(IDLE_TIMEOUT)
      expect(isLeft()).toBe(true)
    },
  )

  it.each([
    [MIN_RATE + 32, 1000, 300],
    [MIN_RATE * 60, 59_000, 20],
    [10, 5000, 5],
  ])('of %i bytes each %i ms, %i times, comes to its end', async (size, every, count) => {
    const { error, bytes } = await readAll(dripping(size, every, count).response)
    expect(error).toBeUndefined()
    expect(bytes).toBe(size * count)
  })

  it('may take any time with `false`', async () => {
    const { error, bytes } = await readAll(dripping(1, 100_000, 30).response, {
      idleTimeout: false,
    })
    expect(error).toBeUndefined()
    expect(bytes).toBe(30)
  })

  it.each([
    [false as const, 1, 59_000],
    [0, 1, 59_000],
    [10, 60, 5000],
  ])('may be as slow as `minRate: %s` says', async (minRate, size, every) => {
    const { error, bytes } = await readAll(dripping(size, every, 30).response, { minRate })
    expect(error).toBeUndefined()
    expect(bytes).toBe(30 * size)
  })

  it('that stops is given up without a `minRate` too, and names the option for that', async () => {
    const { error, took } = await readAll(dripping(1, 61_000).response, { minRate: false })
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', remedy: { option: 'idleTimeout' } })
    expect(took).toBe(IDLE_TIMEOUT)
  })

  it('must be as fast as `minRate` says', async () => {
    const { error } = await readAll(dripping(40 * 1024, 1000).response, { minRate: 50 * 1024 })
    expect(error).toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringContaining('less than 51200 per second: try again, or lower "minRate"'),
    })
  })

  it('is not given up for the time that its reader takes', async () => {
    const { response } = dripping(1, 10, 20)
    const reader = createTimedReader(response, paceLimitsOf({}), 'the download', undefined)
    const work = (async () => {
      for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next())
        await new Promise((resolve) => setTimeout(resolve, 30_000))
    })()
    await vi.advanceTimersByTimeAsync(60 * 60_000)
    await expect(work).resolves.toBeUndefined()
  })
})

describe('the option minRate', () => {
  const reference = parseReference('registry.test/a/b:1')
  it.each([-1, NaN, Infinity, '1KiB'])('is no %s', (given) => {
    const minRate = given as number
    expect(() => createBindleClient('https://bindle.test/v1', { minRate })).toThrow('"minRate"')
    expect(() => createRepository(reference, { minRate })).toThrow('"minRate"')
    expect(() =>
      createRelayHandler({ registries: ['registry.test'], origins: [], limits: { minRate } }),
    ).toThrow('"limits.minRate"')
  })

  it.each([
    ['down', 'GET', 502],
    ['up', 'PUT', 400],
  ])('holds for what a relay passes %s', async (_, method, status) => {
    let seen: unknown
    let isLeft = (): boolean => false
    const slow = (): ReadableStream<Uint8Array> => {
      const { response, isLeft: left } = dripping(1, 5000)
      isLeft = left
      return response.body!
    }
    const relay = createRelayHandler({
      registries: ['registry.test'],
      origins: [],
      writable: () => true,
      onError: (error) => (seen = error),
      async fetch(request) {
        if (request.method === 'GET') return new Response(slow())
        await request.arrayBuffer()
        return new Response(null, { status: 201 })
      },
    })
    const path = method === 'GET' ? `blobs/sha256:${'0'.repeat(64)}` : 'blobs/uploads/1'
    const work = (async () => {
      const init = method === 'GET' ? {} : { body: slow(), duplex: 'half' }
      const url = `https://relay.test/relay/registry.test/v2/a/${path}`
      const response = await relay.fetch(new Request(url, { method, ...init } as RequestInit))
      if (method === 'PUT') return response.status
      return response.arrayBuffer().then(
        () => 200,
        (error: unknown) => {
          seen = error
          return 502
        },
      )
    })()
    await vi.advanceTimersByTimeAsync(IDLE_TIMEOUT + 1000)
    expect(await work).toBe(status)
    if (method === 'GET') expect(seen).toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(isLeft()).toBe(true)
  })
})
