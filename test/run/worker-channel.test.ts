import { expect, it } from 'vitest'
import { createAnswerer } from '../../src/run/web-worker/answer.ts'
import { createAsker, type Asker } from '../../src/run/web-worker/ask.ts'
import type { AskMessage } from '../../src/run/web-worker/messages.ts'

/** Both ends of a channel, in one thread. */
function connect(handle: (request: Request) => Promise<Response>): Asker {
  let answer: (message: AskMessage) => void = () => {}
  const asker = createAsker((message) => queueMicrotask(() => answer(message)))
  answer = createAnswerer((message) => queueMicrotask(() => asker.handle(message)), handle)
  return asker
}

it('a client that leaves takes its body with it, on both sides', async () => {
  let left: unknown
  const body = new ReadableStream({ cancel: (reason) => void (left = reason ?? 'cancelled') })
  const stop = new AbortController()
  const { signal } = stop
  const request = new Request('http://app.example/', {
    method: 'POST',
    body,
    duplex: 'half',
    signal,
  } as RequestInit)
  let reading: Promise<string> | undefined
  const asker = connect((asked) => {
    reading = asked.text()
    return reading.then((text) => new Response(text))
  })
  const answer = new Promise((resolve, reject) =>
    asker.send({ request, address: '0.0.0.0:0', arrived: Date.now(), resolve, reject }),
  )
  await expect.poll(() => reading !== undefined).toBe(true)
  expect(asker.isBusy()).toBe(true)
  stop.abort(new Error('gone'))
  await expect(answer).rejects.toThrow('gone')
  await expect(reading).rejects.toThrow()
  expect([asker.isBusy(), left]).toEqual([false, 'cancelled'])
})
