import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { bodyFor, bodyOf, takesStreams } from '../../src/bytes/request-body.ts'
import { streamOf } from '../../src/bytes/stream.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { createAnswerer } from '../../src/run/web-worker/answer.ts'
import { createAsker } from '../../src/run/web-worker/ask.ts'
import type { AskMessage } from '../../src/run/web-worker/messages.ts'
import { sendRequest } from '../../src/run/host/wasi/http-outgoing.ts'
import { capabilities } from '../portable/capabilities.ts'

/** As Firefox has it: requests don't show their bodies, and are made of streams as of any object. */
class FirefoxRequest extends Request {
  constructor(input: RequestInfo | URL, init?: RequestInit) {
    const isStream = init?.body instanceof ReadableStream
    super(input, isStream ? { ...init, body: String(init.body) } : init)
  }
  override get body(): never {
    return undefined as never
  }
}

const text = (body: BodyInit): Promise<string> => new Response(body).text()
const post = (body?: BodyInit): Request =>
  new Request('https://a.test/', { method: 'POST', ...(body !== undefined && { body }) })

describe('a body', () => {
  it('is the request’s own where requests have one', async () => {
    expect(bodyOf(new Request('https://a.test/'))).toBe(null)
    const request = post('text')
    expect(bodyOf(request)).toBe(request.body)
    const stream = streamOf(encodeUtf8('text'))
    expect(takesStreams()).toBe(true)
    expect(await bodyFor(stream)).toBe(stream)
  })
})

describe('where requests have no body that can be seen', () => {
  beforeEach(() => void vi.stubGlobal('Request', FirefoxRequest))
  afterEach(() => void vi.unstubAllGlobals())

  it('it is read when it is asked for, and made whole to be sent', async () => {
    expect(bodyOf(new Request('https://a.test/'))).toBe(null)
    expect(await text(bodyOf(post()) as ReadableStream<Uint8Array<ArrayBuffer>>)).toBe('')
    const request = post('text')
    const body = bodyOf(request) as ReadableStream<Uint8Array<ArrayBuffer>>
    expect(request.bodyUsed).toBe(false)
    expect(await text(body)).toBe('text')
    expect(takesStreams()).toBe(false)
    const whole = await bodyFor(streamOf(encodeUtf8('whole')))
    expect(await post(whole as Blob).text()).toBe('whole')
  })

  it('it reaches an application in another thread', async () => {
    const answer: (message: AskMessage) => void = createAnswerer(
      (message) => ask.handle(message),
      async (request) => new Response(`${request.method} ${await request.text()}`),
    )
    const ask = createAsker((message) => answer(message))
    const send = (request: Request): Promise<Response> =>
      new Promise((resolve, reject) =>
        ask.send({ request, address: '', arrived: Date.now(), resolve, reject }),
      )
    expect(await (await send(new Request('https://a.test/'))).text()).toBe('GET ')
    expect(await (await send(post('text'))).text()).toBe('POST text')
  })

  it('it leaves an application for another host', async () => {
    const sent = sendRequest(
      async (request) => new Response(await request.text()),
      new URL('https://a.test/'),
      {
        method: 'POST',
        headers: new Headers(),
        body: streamOf(encodeUtf8('text')),
        firstByte: undefined,
      },
    )
    const result = (await sent?.settled) as { val: Response }
    expect(await result.val.text()).toBe('text')
  })

  it('it is let go when it has no end, or is given up', async () => {
    const piece = new Uint8Array(1024 * 1024)
    const sendBody = (pull: UnderlyingDefaultSource<Uint8Array>['pull']) => {
      let isLetGo = false
      const body = new ReadableStream<Uint8Array>({
        ...(pull !== undefined && { pull }),
        cancel: () => void (isLetGo = true),
      })
      const sending = sendRequest(async () => new Response(), new URL('https://a.test/'), {
        method: 'POST',
        headers: new Headers(),
        body,
        firstByte: undefined,
      })
      return { sending, isLetGo: () => isLetGo }
    }
    const refused = { tag: 'err', val: { tag: 'destination-unavailable' } }
    const endless = sendBody((controller) => controller.enqueue(piece))
    expect(await endless.sending?.settled).toEqual(refused)
    const stalled = sendBody(undefined)
    stalled.sending?.abort()
    expect(await stalled.sending?.settled).toEqual(refused)
    expect([endless.isLetGo(), stalled.isLetGo()]).toEqual([true, true])
  })

  it.each(capabilities)('all is there that is there else: $name', async ({ prove, refused }) => {
    if (refused?.['Node 20, 22'] === undefined) await prove()
  })
})
