import { beforeAll, expect, it } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { serve, talk, until } from '../node/fetch-servers.ts'
import { startProxy } from '../node/proxy-servers.ts'
import { type Authority, createAuthority, dnsName, serveAs } from '../node/tls-servers.ts'

// Whoever answers in place of a proxy, or reads what goes to one, tries to get at what is meant for
// the server behind it.

const HOST = 'registry.corp.example'
const portOf = (url: string | URL): number => Number(new URL(url).port)

let ours: Authority
beforeAll(async () => {
  ours = await createAuthority('Ours')
})

it('an answer to CONNECT is never taken for one of the server: its challenge gets no credentials', async () => {
  const asked: unknown[] = []
  const { url: evil } = await serve((request, response) => {
    asked.push(request.headers.authorization)
    response.end('{"token":"x"}')
  })
  const challenge = `Bearer realm="${evil}/token",service="x"`
  for (const status of [401, 404, 500]) {
    const proxy = await startProxy({
      port: 1,
      connectAnswer: `HTTP/1.1 ${status} X\r\nwww-authenticate: ${challenge}\r\ncontent-length: 2\r\n\r\n{}`,
    })
    const transport = createTransport({
      fetch: createNodeFetch({ proxy: proxy.url }),
      credentials: { username: 'ann', password: 's3cret' },
      retry: false,
    })
    const scope = { registry: HOST, repository: 'a', actions: ['pull'] } as const
    const expectAny = [401, 404, 500]
    await expect(
      transport.fetch({ url: `https://${HOST}/v2/a/manifests/1`, scope, expect: expectAny }),
    ).rejects.toMatchObject({ name: 'ProxyError' })
  }
  expect(asked).toEqual([])
})

it('a proxy that only tunnels sees no header and no path of the request', async () => {
  const server = await serveAs(ours, { address: dnsName(HOST) })
  const proxy = await startProxy({ port: portOf(server) })
  const fetch = createNodeFetch({ proxy: proxy.url, ca: ours.pem })
  const headers = { authorization: 'Bearer s3cret', 'proxy-authorization': 'Basic s3cret' }
  await (await fetch(new Request(`https://${HOST}/s3cret?s3cret`, { headers }))).text()
  expect(proxy.seen).toEqual([`CONNECT ${HOST}:443`])
  expect(JSON.stringify(proxy.headers)).not.toContain('s3cret')
})

it('endless headers of a proxy end', async () => {
  let sent = 0
  const proxy = await talk((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n')
    const more = (): void => {
      sent += 8 * 1024
      if (!socket.destroyed)
        socket.write(`x: ${'y'.repeat(8 * 1024)}\r\n`, () => setImmediate(more))
    }
    more()
  })
  const fetch = createNodeFetch({ proxy })
  await expect(fetch(new Request(`https://${HOST}/`))).rejects.toMatchObject({
    code: 'ERR_NETWORK',
    cause: { code: 'HPE_HEADER_OVERFLOW' },
  })
  expect(sent).toBeLessThan(4 * 1024 * 1024)
})

it('an attempt that is given up leaves no connection to the proxy', async () => {
  const stalled = await startProxy({ port: 1, connectAnswer: 'HTTP/1.1 200 ' })
  const stop = new AbortController()
  const sent = createNodeFetch({ proxy: stalled.url })(
    new Request(`https://${HOST}/`, { signal: stop.signal }),
  )
  await until(() => stalled.seen.length === 1)
  expect(stalled.open()).toBe(1)
  stop.abort(new Error('stop'))
  await expect(sent).rejects.toThrow('stop')
  await until(() => stalled.open() === 0)
})
