import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { parseToml } from '../../src/bytes/toml.ts'
import { listen, type Listener, type ListenOptions } from '../../src/node/listen/listen.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { always, relayBefore } from '../serve/relay/relay.ts'
import { codeOf } from '../serve/registry/client.ts'

// A page whose domain name resolves to 127.0.0.1 (DNS rebinding) has the same origin as a
// server there: neither CORS nor `Origin` stops it. Only the requested host name reveals it.

const LOOPBACK = [
  'localhost',
  'LOCALHOST',
  'spindle.localhost',
  'a.b.localhost',
  '127.0.0.1',
  '127.8.9.10',
  '[::1]',
]
const FOREIGN = [
  'evil.example',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'notlocalhost',
  'localhostx',
  '127.evil.example',
  '10.0.0.1',
  '0.0.0.0',
  '[fe80::1]',
]

const open: Listener[] = []
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close()
})

/** A registry behind a port, and the requests it received. */
async function start(options: ListenOptions = {}) {
  const asked: string[] = []
  const registry = createRegistryHandler({ storage: createMemoryStorage() })
  const listener = await listen(
    {
      fetch: (request) => {
        asked.push(request.method)
        return registry.fetch(request)
      },
    },
    options,
  )
  open.push(listener)
  const { port } = new URL(listener.url)
  const ask = (
    host: string,
    method = 'GET',
    headers: Record<string, string> = {},
  ): Promise<{ status: number | undefined; text: string }> =>
    new Promise((resolve, reject) => {
      const path = method === 'GET' ? '/v2/_catalog' : '/v2/a/blobs/uploads/'
      httpRequest(
        { port, host: '127.0.0.1', method, path, headers: { Host: host, ...headers } },
        async (response) => {
          let text = ''
          for await (const chunk of response) text += String(chunk)
          resolve({ status: response.statusCode, text })
        },
      )
        .once('error', reject)
        .end()
    })
  return { ask, asked, port }
}

describe('a server on a loopback address', () => {
  it.each(LOOPBACK)('answers to %s, with and without a port', async (host) => {
    const { ask, port } = await start()
    expect((await ask(host)).status).toBe(200)
    expect((await ask(`${host}:${port}`)).status).toBe(200)
  })

  it.each(FOREIGN)('answers 421 to %s without calling the handler', async (host) => {
    const { ask, asked, port } = await start()
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      expect((await ask(host, method)).status).toBe(421)
      expect((await ask(`${host}:${port}`, method)).status).toBe(421)
    }
    expect(asked).toEqual([])
  })

  it('ignores headers of proxies, and names the option that allows a host name', async () => {
    const { ask, asked } = await start()
    const { status, text } = await ask('evil.example', 'GET', {
      'X-Forwarded-Host': 'localhost',
      Forwarded: 'host=localhost',
      Origin: 'http://evil.example',
    })
    expect(status).toBe(421)
    expect(text).toMatch(/"evil\.example".*"allowedHosts".*--allow-host/)
    expect(asked).toEqual([])
  })

  it('also accepts the names in its options', async () => {
    const { ask } = await start({
      allowedHosts: ['registry.test', '*.apps.test', '10.0.0.1', '::2'],
    })
    for (const host of ['registry.test', 'Registry.Test', 'a.apps.test', 'a.b.apps.test'])
      expect((await ask(host)).status).toBe(200)
    for (const host of ['10.0.0.1', '[::2]', 'localhost'])
      expect((await ask(host)).status).toBe(200)
    for (const host of ['a.registry.test', 'apps.test', 'xapps.test', 'evil.example'])
      expect((await ask(host)).status).toBe(421)
  })

  it('accepts any name with *', async () => {
    const { ask } = await start({ allowedHosts: ['*'] })
    expect((await ask('evil.example')).status).toBe(200)
  })

  it('answers HTTP/1.0 without a host, which no browser sends', async () => {
    const { port } = await start()
    const socket = connect(Number(port), '127.0.0.1')
    socket.write('GET /v2/ HTTP/1.0\r\n\r\n')
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    expect(answer).toMatch(/^HTTP\/1\.1 200/)
  })

  it('answers 400 to an invalid host', async () => {
    const { ask, asked } = await start()
    for (const host of ['999.999.999.999', 'user@localhost', 'localhost:99999'])
      expect((await ask(host)).status).toBe(400)
    expect(asked).toEqual([])
  })
})

describe('a server on another address', () => {
  it('accepts any name, unless it is restricted', async () => {
    const { ask } = await start({ host: '0.0.0.0' })
    expect((await ask('registry.example')).status).toBe(200)
    const restricted = await start({ host: '0.0.0.0', allowedHosts: ['registry.example'] })
    expect((await restricted.ask('registry.example')).status).toBe(200)
    expect((await restricted.ask('evil.example')).status).toBe(421)
  })
})

describe('a handler', () => {
  const at = (host: string): Request => new Request(`http://${host}/v2/`)
  const names = { allowedHosts: ['registry.test'] }

  it('accepts any name by default', async () => {
    expect((await createRegistryHandler().fetch(at('evil.example'))).status).toBe(200)
  })

  it('of a registry accepts the names in its options, also in preflights', async () => {
    const { fetch } = createRegistryHandler({ ...names, cors: { origins: '*' } })
    expect((await fetch(at('registry.test:5000'))).status).toBe(200)
    const refused = await fetch(at('evil.example'))
    expect(refused.status).toBe(421)
    expect(await codeOf(refused)).toBe('DENIED')
    const preflight = new Request(at('evil.example'), { method: 'OPTIONS' })
    expect((await fetch(preflight)).status).toBe(421)
  })

  it('of a Bindle server does so too, with its own errors', async () => {
    const { fetch } = createBindleHandler(names)
    expect((await fetch(new Request('http://registry.test/v1/_q'))).status).toBe(200)
    const refused = await fetch(new Request('http://evil.example/v1/_q'))
    expect(refused.status).toBe(421)
    expect(parseToml(await refused.text(), 'the error')).toMatchObject({
      error: expect.stringContaining('evil.example') as string,
    })
  })

  it('of a relay does so too, before it sends anything', async () => {
    const { ask, sent } = relayBefore(always(200), names)
    expect((await ask('/registry.example/v2/')).status).toBe(421)
    expect(sent).toEqual([])
    const own = relayBefore(always(200), { allowedHosts: ['relay.example'] })
    expect((await own.ask('/registry.example/v2/')).status).toBe(200)
  })

  it.each(['', 'http://a.test', 'a.test:80', 'a.test/', 'a b', '*.', '**', 'a.*.test', 'u@a.test'])(
    'is not made for "%s", which is no host name',
    async (name) => {
      expect(() => createRegistryHandler({ allowedHosts: [name] })).toThrow(TypeError)
      await expect(listen(createRegistryHandler(), { allowedHosts: [name] })).rejects.toThrow(
        '"allowedHosts"',
      )
    },
  )
})
