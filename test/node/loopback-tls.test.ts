import type { IncomingMessage, RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { beforeAll, describe, expect, it } from 'vitest'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createTransport } from '../../src/http/transport.ts'
import type { FetchHandler, FetchLike } from '../../src/types.ts'
import { createSession } from '../cli/session.ts'
import { serve, talk } from './fetch-servers.ts'
import { type Authority, createAuthority, serveAs } from './tls-servers.ts'

let authority: Authority
beforeAll(async () => {
  authority = await createAuthority('Ours')
})

const globalFetch: FetchLike = (request) => fetch(request)
const CLIENTS: readonly (readonly [string, () => FetchLike])[] = [
  ["Node's client", () => createNodeFetch()],
  ['the global fetch', () => (request) => globalFetch(request)],
]

/** A `fetch` handler behind one of Node's servers. */
function behind({ fetch: answer }: FetchHandler, log: string[] = []): RequestListener {
  const bodyOf = async (message: IncomingMessage): Promise<Buffer> => {
    const chunks: Buffer[] = []
    for await (const chunk of message) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }
  return (message, response) => {
    const { method = 'GET', url = '/', headers } = message
    const isTls = 'encrypted' in message.socket
    log.push(`${method} ${url.replace(/\?.*/, '')}`)
    void (async () => {
      const body = await bodyOf(message)
      const answered = await answer(
        new Request(new URL(url, `${isTls ? 'https' : 'http'}://${headers.host}`), {
          method,
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, value]) => [name, String(value)]),
          ),
          ...(method !== 'GET' && method !== 'HEAD' && { body: new Uint8Array(body) }),
        }),
      )
      response.writeHead(answered.status, Object.fromEntries(answered.headers))
      response.end(new Uint8Array(await answered.arrayBuffer()))
    })()
  }
}

const manifest = `spin_manifest_version = 2
[application]
name = "hello"
version = "1.0.0"
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = "app.wasm"
`

describe('a registry with TLS on loopback', () => {
  const create = async () => {
    const log: string[] = []
    const url = await serveAs(authority, { handle: behind(createRegistryHandler(), log) })
    return { host: url.host, log }
  }
  const sessionWith = (ca: string | undefined) => {
    const session = createSession(createNodeFetch(ca === undefined ? {} : { ca }))
    session.write('app/spin.toml', manifest)
    session.write('app/app.wasm', Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0))
    return session
  }

  it.each(['', 'https://'])(
    'is pushed to and pulled from by the command as %jHOST',
    async (scheme) => {
      const { host, log } = await create()
      const session = sessionWith(authority.pem)
      const ref = `${scheme}${host}/team/hello:1`
      for (const args of [
        ['push', '-f', 'app', ref],
        ['pull', ref, '-o', 'pulled'],
        ['tags', ref],
        ['manifest', ref],
        ['copy', ref, `${scheme}${host}/team/copy:1`],
        ['login', `${scheme}${host}`, '-u', 'ann', '-p', 'x'],
      ])
        expect(await session.run('registry', ...args)).toMatchObject({
          code: 0,
          stderr: expect.not.stringContaining('error'),
        })
      // Found out once for the process, and at no time where the scheme says it; the login asks for it.
      const commands = log.slice(0, -3)
      expect(commands.filter((line) => line === 'GET /v2/')).toHaveLength(scheme === '' ? 1 : 0)
    },
  )

  it('with a certificate that is not trusted is refused by that, not asked by plain http', async () => {
    const { host, log } = await create()
    const { code, stderr } = await sessionWith(undefined).run(
      'registry',
      'tags',
      `${host}/team/hello`,
    )
    expect(code).toBe(1)
    expect(stderr).toContain('its certificate is not trusted')
    expect(stderr).toContain('NODE_EXTRA_CA_CERTS')
    expect(log).toEqual([])
  })

  it('is not reached by http://, which decides', async () => {
    const { host } = await create()
    const session = sessionWith(authority.pem)
    const { code, stderr } = await session.run('registry', 'tags', `http://${host}/team/hello`)
    expect(code).toBe(1)
    expect(stderr).toContain(`http://${host}/v2/`)
  })
})

describe.each(CLIENTS)('a registry without TLS on loopback, by %s', (_, create) => {
  it('is found out by one connection, and no request', async () => {
    const log: string[] = []
    const { url, server } = await serve(behind(createRegistryHandler(), log))
    let connections = 0
    server.on('connection', () => connections++)
    const transport = createTransport({ fetch: create() })
    expect(await transport.protocol(new URL(url).host)).toBe('http:')
    expect({ connections, log }).toEqual({ connections: 1, log: [] })
  })

  it('is found out where it hangs up on what is not http', async () => {
    const url = await talk((socket, head) => {
      if (head.startsWith('GET ')) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      else socket.destroy()
    })
    const transport = createTransport({ fetch: create() })
    expect(await transport.protocol(new URL(url).host)).toBe('http:')
  })

  it('is found out where it waits for more of what is not http', async () => {
    const url = await talk((socket, head) => {
      if (head.startsWith('GET ')) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    })
    const transport = createTransport({ fetch: create(), timeout: 300 })
    expect(await transport.protocol(new URL(url).host)).toBe('http:')
  })

  it('and a server that refuses the handshake in TLS are told apart', async () => {
    // Without a certificate it has no cipher to offer.
    const server = createTlsServer({}, () => {}).on('tlsClientError', () => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const transport = createTransport({ fetch: create() })
    expect(await transport.protocol(`127.0.0.1:${port}`)).toBe('https:')
    server.close()
  })

  it('and a certificate that is not trusted are told apart', async () => {
    const { host } = await serveAs(authority)
    expect(await createTransport({ fetch: create() }).protocol(host)).toBe('https:')
  })
})
