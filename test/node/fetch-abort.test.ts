import { describe, expect, it } from 'vitest'
import { senderOf } from '../../src/http/sender.ts'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { plain, serve, until } from './fetch-servers.ts'

const fetch = createNodeFetch()
const send = senderOf(fetch)!

describe('an abort', () => {
  it('rejects with its reason at once, and asks for nothing', async () => {
    let asked = 0
    const { url } = await serve(() => asked++)
    const reason = new Error('no more')
    const request = new Request(url, { signal: AbortSignal.abort(reason) })
    await expect(fetch(request)).rejects.toBe(reason)
    expect(asked).toBe(0)
  })

  it('rejects with its reason while an answer is waited for, and closes the connection', async () => {
    let closed = false
    const stop = new AbortController()
    const reason = { what: 'no error' }
    const { url } = await serve((request) => {
      request.socket.once('close', () => (closed = true))
      stop.abort(reason)
    })
    await expect(fetch(new Request(url, { signal: stop.signal }))).rejects.toBe(reason)
    await until(() => closed)
  })

  it('or a deadline ends the wait for a body that never comes, and asks for nothing', async () => {
    let asked = 0
    const { url } = await serve(() => asked++)
    const stop = new AbortController()
    const reason = new Error('no more')
    const put = { ...plain, method: 'PUT' }
    const nothing = (): { body: ReadableStream<Uint8Array>; left: () => unknown } => {
      let left: unknown
      const body = new ReadableStream<Uint8Array>({ cancel: (why) => void (left = why) })
      return { body, left: () => left }
    }
    const [one, other] = [nothing(), nothing()]
    const aborted = send(new URL(url), { ...put, body: one.body, signal: stop.signal })
    stop.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    const deadline = { milliseconds: 20, error: () => reason }
    const late = send(new URL(url), { ...put, body: other.body, deadline })
    await expect(late).rejects.toBe(reason)
    expect([one.left(), other.left(), asked]).toEqual([reason, reason, 0])
  })

  it('breaks a body with its reason, and closes the connection', async () => {
    let closed = false
    const { url } = await serve((request, response) => {
      request.socket.once('close', () => (closed = true))
      response.write('begun')
    })
    const stop = new AbortController()
    const reason = new Error('no more')
    const answer = await fetch(new Request(url, { signal: stop.signal }))
    const text = answer.text()
    stop.abort(reason)
    await expect(text).rejects.toBe(reason)
    await until(() => closed)
  })
})
