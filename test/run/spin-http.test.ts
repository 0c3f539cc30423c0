import { describe, expect, it } from 'vitest'
import { sendLegacy } from '../../src/run/host/spin/outbound-http.ts'

const request = { method: 'get', uri: 'http://up.example/', headers: [], params: [] }

describe('a response to a component of the interface before wasi:http', () => {
  it('comes whole', async () => {
    const sent = await sendLegacy(async () => new Response('hello', { status: 201 }), request)
    expect(sent).toMatchObject({
      tag: 'ok',
      val: { status: 201, body: new TextEncoder().encode('hello') },
    })
  })

  it('may have no body', async () => {
    const sent = await sendLegacy(async () => new Response(null, { status: 204 }), request)
    expect(sent).toMatchObject({ tag: 'ok', val: { status: 204, body: new Uint8Array() } })
  })

  it('is given up when it has no end', async () => {
    let given = 0
    const endless = new ReadableStream({
      pull(controller) {
        given += 1024 * 1024
        // Twice what is taken, should nobody count.
        if (given > 128 * 1024 * 1024) controller.close()
        else controller.enqueue(new Uint8Array(1024 * 1024))
      },
    })
    expect(await sendLegacy(async () => new Response(endless), request)).toEqual({
      tag: 'err',
      val: 'request-error',
    })
    expect(given).toBeLessThan(70 * 1024 * 1024)
  })
})
