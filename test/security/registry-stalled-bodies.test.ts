import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openHostile } from '../registry/hostile.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** A body that comes a byte a second, for ever; and whether its reader has left. */
function drip(): { body: ReadableStream<Uint8Array>; left: () => boolean } {
  let left = false
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 1000))
        controller.enqueue(Uint8Array.of(0x20))
      },
      cancel: () => void (left = true),
    },
    { highWaterMark: 0 },
  )
  return { body, left: () => left }
}

/** Minutes, at most 10, until work has failed, and what with. */
async function failureOf(work: Promise<unknown>): Promise<{ minutes: number; error: unknown }> {
  let error: unknown
  work.catch((reason: unknown) => (error = reason))
  for (let seconds = 0; seconds <= 600; seconds++) {
    await vi.advanceTimersByTimeAsync(seconds === 0 ? 0 : 1000)
    if (error !== undefined) return { minutes: seconds / 60, error }
  }
  throw new Error('still waiting after 10 minutes')
}

const manifest = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }
const challenge = { 'www-authenticate': 'Bearer realm="https://registry.test/token"' }

describe('a body that comes drop by drop is left', () => {
  it('when it is a manifest', async () => {
    const { body, left } = drip()
    const registry = openHostile(({ method }) =>
      method === 'HEAD' ? new Response(null) : new Response(body, { headers: manifest }),
    )
    const { minutes, error } = await failureOf(registry.resolve('v1'))
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(minutes).toBeLessThan(3)
    expect(left()).toBe(true)
  })

  it('when it is a list of tags', async () => {
    const { body, left } = drip()
    const tags = openHostile(() => new Response(body))
      .tags()
      [Symbol.asyncIterator]()
    const { error } = await failureOf(tags.next())
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(left()).toBe(true)
  })

  it('when it is a token', async () => {
    const { body, left } = drip()
    const registry = openHostile(({ url }) =>
      url.includes('/token')
        ? new Response(body)
        : new Response(null, { status: 401, headers: challenge }),
    )
    const { minutes, error } = await failureOf(registry.resolve('v1'))
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(minutes).toBeLessThan(1)
    expect(left()).toBe(true)
  })

  it('when it is an error, of which the status is told', async () => {
    const { body, left } = drip()
    const registry = openHostile(
      ({ method }) => new Response(method === 'HEAD' ? null : body, { status: 400 }),
    )
    const { minutes, error } = await failureOf(registry.resolve('v1'))
    expect(error).toMatchObject({ status: 400 })
    expect(minutes).toBeLessThan(0.2)
    expect(left()).toBe(true)
  })
})
