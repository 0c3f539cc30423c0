import { describe, expect, it } from 'vitest'
import { hasFixedLength } from '../../src/serve/relay/body.ts'
import type { FetchLike } from '../../src/types.ts'
import { always, DIGEST, relayBefore } from '../serve/relay/relay.ts'

const writable = () => true
const PUT = '/registry.example/v2/a/blobs/uploads/1'
const BLOB = `/registry.example/v2/a/blobs/${DIGEST}`
const swallow: FetchLike = async (request) => {
  await readOut(request)
  return new Response(null, { status: 201 })
}
/** By hand: of a body that breaks, workerd's own `arrayBuffer` says so twice, once to nobody. */
async function readOut({ body }: Request | Response): Promise<void> {
  const reader = body!.getReader()
  while (!(await reader.read()).done);
}
// Of the Workers' own stream of a fixed length, which breaks too, even a reader says so to nobody.
const LENGTHS = [{}, ...(hasFixedLength ? [] : [{ 'content-length': '5000' }])]
function endless(onCancel: () => void = () => {}): ReadableStream<Uint8Array> {
  return new ReadableStream(
    { pull: (controller) => controller.enqueue(new Uint8Array(1000)), cancel: onCancel },
    { highWaterMark: 0 },
  )
}
const streamed = (body: ReadableStream<Uint8Array>): RequestInit =>
  ({ method: 'PUT', body, duplex: 'half' }) as RequestInit

// Endless bodies would use the relay's connections and traffic.
describe('a relay', () => {
  it('rejects a body with a too large announced size before it sends anything', async () => {
    const { ask, sent } = relayBefore(swallow, { writable, limits: { bodyBytes: 10 } })
    const headers = { 'content-length': '11' }
    expect((await ask(PUT, { method: 'PUT', headers, body: 'x'.repeat(11) })).status).toBe(413)
    expect(sent).toEqual([])
  })

  it('stops reading a body that is too large', async () => {
    const { ask } = relayBefore(swallow, { writable, limits: { bodyBytes: 10_000 } })
    let cancelled = false
    const response = await ask(PUT, streamed(endless(() => (cancelled = true))))
    expect(response.status).toBe(413)
    expect(cancelled).toBe(true)
  })

  it('stops a response that is too large, or longer than announced', async () => {
    for (const headers of LENGTHS) {
      let cancelled = false
      const { ask } = relayBefore(
        async () =>
          new Response(
            endless(() => (cancelled = true)),
            { headers },
          ),
        { limits: { bodyBytes: 10_000 } },
      )
      const response = await ask(BLOB)
      await expect(readOut(response)).rejects.toThrow()
      expect(cancelled).toBe(true)
    }
    const { ask } = relayBefore(always(200, { 'content-length': '10001' }, 'x'), {
      limits: { bodyBytes: 10_000 },
    })
    expect((await ask(BLOB)).status).toBe(403)
  })

  it('does not read a response that the client does not read', async () => {
    let pulled = 0
    const { ask } = relayBefore(
      async () =>
        new Response(
          new ReadableStream<Uint8Array>(
            {
              pull(controller) {
                pulled++
                controller.enqueue(new Uint8Array(1000))
              },
            },
            { highWaterMark: 0 },
          ),
        ),
    )
    const response = await ask(BLOB)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(pulled).toBeLessThan(5)
    await response.body!.cancel()
  })

  it('aborts stalled bodies in both directions', async () => {
    const still = (): ReadableStream<Uint8Array> =>
      new ReadableStream({ pull: () => new Promise(() => {}) })
    const limits = { idle: 20 }
    const up = relayBefore(swallow, { writable, limits })
    expect((await up.ask(PUT, streamed(still()))).status).toBe(400)
    const down = relayBefore(async () => new Response(still()), { limits })
    await expect(readOut(await down.ask(BLOB))).rejects.toThrow()
    const silent = relayBefore(
      (request) =>
        new Promise((_, reject) =>
          request.signal.addEventListener('abort', () => reject(request.signal.reason)),
        ),
      { limits: { timeout: 20 } },
    )
    expect((await silent.ask(BLOB)).status).toBe(504)
  })

  it('limits the size of tokens and forms', async () => {
    const { ask } = relayBefore(async (request) =>
      request.url.endsWith('/v2/')
        ? always(401, { 'www-authenticate': 'Bearer realm="https://registry.example/token"' })(
            request,
          )
        : new Response(endless()),
    )
    const offered = (await ask('/registry.example/v2/')).headers.get('www-authenticate')!
    const realm = new URL(/realm="([^"]+)"/.exec(offered)![1]!).pathname.slice('/relay'.length)
    expect((await ask(realm)).status).toBe(502)
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const init = { ...streamed(endless()), method: 'POST', headers: form }
    expect((await ask(realm, init)).status).toBe(413)
  })
})
