import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FixtureComponent } from './fixtures.ts'
import { guest, run, type Running } from './guests.ts'
import { expectNoWaiting, itWaits } from './waiting.ts'

describe('a component that asks others', () => {
  const component: FixtureComponent = {
    wasm: guest('proxy'),
    env: { MODE: 'test' },
    metadata: { allowed_outbound_hosts: ['http://127.0.0.1:*', 'http://self'] },
  }
  let app: Running
  let server: Server
  let origin: string
  beforeAll(async () => {
    app = await run(component)
    server = createServer((request, response) => {
      if (request.url === '/redirect')
        response.writeHead(302, { location: 'http://evil.example/' }).end('moved')
      else response.end(`upstream ${request.url}`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    origin = `127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  itWaits(
    'reaches what its manifest lists',
    async () => {
      expect(await app.text(`/out/${origin}/x?y`)).toBe('200 upstream /x?y')
    },
    () => expectNoWaiting(app, `/out/${origin}/x?y`),
  )

  itWaits(
    'is told of a redirect and not taken along',
    async () => {
      expect(await app.text(`/out/${origin}/redirect`)).toBe('302 moved')
    },
    () => expectNoWaiting(app, `/out/${origin}/redirect`),
  )

  itWaits(
    'reaches nothing else',
    async () => {
      // 15: HTTP-request-denied
      expect(await app.text('/out/evil.example/')).toBe('error 15')
      expect(await app.text('/out/localhost:1/')).toBe('error 15')
    },
    () => expectNoWaiting(app, '/out/evil.example/'),
  )

  itWaits(
    'reaches its own application',
    async () => {
      expect(await app.text('/self/env')).toBe('200 MODE=test\n')
    },
    () => expectNoWaiting(app, '/self/env'),
  )

  itWaits(
    'ends when it asks itself without end',
    async () => {
      expect(await app.text(`/self${'/self'.repeat(20)}/env`)).toMatch(/error \d+$|500/)
    },
    () => expectNoWaiting(app, `/self${'/self'.repeat(20)}/env`),
  )

  itWaits(
    'streams over time',
    async () => {
      const chunks: string[] = []
      const decoder = new TextDecoder()
      for await (const chunk of (await app.get('/slow'))
        .body as unknown as AsyncIterable<Uint8Array>)
        chunks.push(decoder.decode(chunk))
      expect(chunks).toEqual(['tick\n', 'tick\n', 'tick\n'])
    },
    () => expectNoWaiting(app, '/slow'),
  )

  itWaits(
    'is ended when its client leaves',
    async () => {
      const abort = new AbortController()
      const response = await app.get('/slow', { signal: abort.signal })
      abort.abort(new Error('left'))
      await expect(response.text()).rejects.toThrow()
    },
    () => expectNoWaiting(app, '/slow'),
  )

  itWaits(
    'gives its place back when its client leaves, even while it waits',
    async () => {
      const never = await run(component, { concurrency: 1, fetch: () => new Promise(() => {}) })
      const abort = new AbortController()
      const asked = never.get(`/out/${origin}/never`, { signal: abort.signal })
      setTimeout(() => abort.abort(new Error('left')), 10)
      await expect(asked).rejects.toThrow('left')
      expect(await never.text('/env')).toBe('MODE=test\n')
    },
    () => expectNoWaiting(app, `/out/${origin}/never`),
  )

  itWaits(
    'is given up after the timeout',
    async () => {
      const patient = await run(component, { timeout: 30, fetch: () => new Promise(() => {}) })
      expect((await patient.get(`/out/${origin}/never`)).status).toBe(500)
      expect(patient.log.at(-1)?.text).toMatch(/no response within 30 ms/)
    },
    () => expectNoWaiting(app, `/out/${origin}/never`),
  )

  it('is refused where it can’t wait, and the log names engines that let it', async () => {
    await expectNoWaiting(await run(component, { jspi: false }), `/out/${origin}/x`)
  })
})
