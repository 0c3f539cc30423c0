import { describe, expect, it } from 'vitest'
import {
  receiveResponse,
  sendFailure,
  sendResponse,
} from '../../examples/playground/src/channel.ts'
import { forFrame } from '../../examples/playground/src/for-frame.ts'
import { createOwnOrigins } from '../../examples/playground/src/own-origins.ts'
import { chooseTemplate } from '../../examples/playground/src/preview.ts'
import { formatBody } from '../../examples/playground/src/text.ts'

const GET = { method: 'GET', url: 'http://a.test/', headers: [], isNavigation: true }

describe('an answer on its way through a port', () => {
  const through = (response: Response): Promise<Response> => {
    const { port1, port2 } = new MessageChannel()
    sendResponse(response, port2)
    return receiveResponse(port1)
  }

  it('arrives as it left: status, repeated headers, bytes', async () => {
    const headers = new Headers({ 'x-a': '1' })
    headers.append('set-cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    const answer = await through(new Response('bytes', { status: 418, headers }))
    expect(answer.status).toBe(418)
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(await answer.text()).toBe('bytes')
    const empty = await through(new Response(null, { status: 204 }))
    expect([empty.status, empty.body]).toEqual([204, null])
  })

  it('is read no faster than it is asked for, and given up when nobody reads on', async () => {
    let asked = 0
    let isCancelled = (): void => undefined
    const cancelled = new Promise<void>((resolve) => (isCancelled = resolve))
    const endless = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        pull: (controller) => controller.enqueue(Uint8Array.of(++asked)),
        cancel: () => isCancelled(),
      },
      { highWaterMark: 0 },
    )
    const reader = (await through(new Response(endless))).body?.getReader()
    expect((await reader?.read())?.value).toEqual(Uint8Array.of(1))
    expect((await reader?.read())?.value).toEqual(Uint8Array.of(2))
    expect(asked).toBe(2)
    await reader?.cancel()
    await cancelled
  })

  it('says why there is none, and ends with the one who sends', async () => {
    const { port1, port2 } = new MessageChannel()
    sendFailure('it was ended', port2)
    await expect(receiveResponse(port1)).rejects.toThrow('it was ended')
  })
})

describe('an answer in the preview', () => {
  it('may be framed, whatever it says; the rest of its policy stays', () => {
    const headers = {
      'X-Frame-Options': 'DENY',
      'Content-Security-Policy': "frame-ancestors 'none'; default-src 'self'",
    }
    const shown = forFrame(new Response('page', { headers }), GET, { path: '/' })
    expect(shown.headers.get('x-frame-options')).toBe(null)
    expect(shown.headers.get('content-security-policy')).toBe("; default-src 'self'")
  })

  it('says what an error without a body is; one with a body, or for a script, stays as it is', async () => {
    const failed = new Response(null, { status: 500 })
    expect(await forFrame(failed, GET, { path: '/' }).text()).toContain('Logs')
    const script = { ...GET, isNavigation: false }
    expect(await forFrame(failed, script, { path: '/' }).text()).toBe('')
    const own = new Response('own words', { status: 500 })
    expect(await forFrame(own, GET, { path: '/' }).text()).toBe('own words')
  })
})

describe('origins', () => {
  it('that are this page’s or the relay’s are known by every name of this machine', () => {
    const isOwn = createOwnOrigins('http://spindle.localhost:4300/playground/', '/relay')
    expect(isOwn('http://spindle.localhost:4300')).toBe(true)
    expect(isOwn('http://127.0.0.1:4300')).toBe(true)
    expect(isOwn('http://x.localhost:4300')).toBe(true)
    expect(isOwn('http://[::1]:4300')).toBe(true)
    for (const other of [
      'localhost.',
      'SPINDLE.LOCALHOST.',
      '127.1',
      '0x7f000001',
      '0',
      '[::]',
      '[::ffff:127.0.0.1]',
      '[::ffff:0.0.0.0]',
      '[::127.0.0.1]',
    ])
      expect(isOwn(new URL(`http://${other}:4300`).origin), other).toBe(true)
    expect(isOwn('http://127.0.0.1:4301')).toBe(false)
    expect(isOwn('http://localhost.example:4300')).toBe(false)
    expect(isOwn('http://[2001:db8::7f00:1]:4300')).toBe(false)
    expect(isOwn('https://api.example')).toBe(false)
    const hosted = createOwnOrigins('https://play.example/', 'https://relay.example/relay')
    expect(hosted('https://relay.example')).toBe(true)
    expect(hosted('https://play.example')).toBe(true)
    expect(hosted('https://other.example')).toBe(false)
  })

  it('of previews are on the page’s own site where there is one', () => {
    const templates = [
      'http://*.spindle.localhost:1',
      'http://localhost:1',
      'http://127.0.0.1:1',
      'https://*.example.com',
    ]
    expect(chooseTemplate(templates, '127.0.0.1')).toBe('http://127.0.0.1:1')
    expect(chooseTemplate(templates, 'spindle.localhost')).toBe('http://*.spindle.localhost:1')
    expect(chooseTemplate(templates, 'play.example.com')).toBe('https://*.example.com')
    expect(chooseTemplate([], 'localhost')).toBe(undefined)
  })
})

describe('a body in the inspector', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

  it('is text where it is text, indented JSON, else hexadecimal', () => {
    expect(formatBody([bytes('{"a":1}')], 'application/json')).toBe('{\n  "a": 1\n}')
    expect(formatBody([bytes('{"a":1')], 'application/json')).toBe('{"a":1')
    expect(formatBody([bytes('grü').slice(0, 3), bytes('grü').slice(3)], 'text/plain')).toBe('grü')
    expect(formatBody([Uint8Array.of(0, 255)], 'text/plain')).toBe('00 ff')
  })
})
