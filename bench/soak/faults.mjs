import { setTimeout as sleep } from 'node:timers/promises'

/** One request in so many meets each fault. */
const ODDS = 25
/** Milliseconds that a slow answer waits for. */
const SLOW = 300

/**
 * What is between clients and a server: cuts connections in the middle, answers 5xx, is slow; and
 * where the server is dead, says so with a 502 as a proxy does.
 * @param {() => string} target The server's address of the moment.
 */
export function createFaults(target) {
  const counts = { cut: 0, refused: 0, slow: 0 }
  let calm = false
  const strikes = () => !calm && Math.random() * ODDS < 1
  return {
    counts,
    calm: () => (calm = true),
    /** @param {Request} request */
    async fetch(request) {
      if (strikes()) {
        counts.refused++
        await request.body?.cancel()
        return new Response('not now', { status: 503, headers: { 'retry-after': '0' } })
      }
      if (strikes()) {
        counts.slow++
        await sleep(SLOW)
      }
      const { pathname, search } = new URL(request.url)
      const { method, headers, body } = request
      const forwarded = new Headers(headers)
      forwarded.delete('host')
      let response
      try {
        response = await fetch(`${target()}${pathname}${search}`, {
          method,
          headers: forwarded,
          redirect: 'manual',
          ...(body === null ? {} : { body: cutNowAndThen(body), duplex: 'half' }),
        })
      } catch {
        return new Response('the server is gone', { status: 502, headers: { 'retry-after': '0' } })
      }
      const answered = new Headers(response.headers)
      const location = answered.get('location')
      // The server names itself, and will be elsewhere after its next death.
      if (location !== null) answered.set('location', location.replace(/^https?:\/\/[^/]+/, ''))
      const through = response.body === null ? null : cutNowAndThen(response.body)
      return new Response(through, { status: response.status, headers: answered })
    },
  }

  /** @param {ReadableStream<Uint8Array>} body */
  function cutNowAndThen(body) {
    if (!strikes()) return body
    counts.cut++
    let first = true
    return body.pipeThrough(
      new TransformStream({
        transform(chunk, controller) {
          if (!first) return controller.error(new Error('cut'))
          first = false
          controller.enqueue(chunk.subarray(0, chunk.length >> 1))
          controller.error(new Error('cut'))
          return undefined
        },
      }),
    )
  }
}
