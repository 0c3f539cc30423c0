import { beforeAll, describe, expect, it } from 'vitest'
import { createAppHandler, type AppHandlerOptions } from '../../src/run/index.ts'
import { sendLegacy } from '../../src/run/host/spin/outbound-http.ts'
import type { FetchHandler } from '../../src/types.ts'
import { asyncEcho, inboundEcho, legacyEcho } from '../run/header-guests.ts'
import { pulledApp, type FixtureComponent } from '../run/fixtures.ts'
import { guest } from '../run/guests.ts'

/** Headers as a guest was given them, by lower-case name. WAGI gives variables in their stead. */
type Given = ReadonlyMap<string, readonly string[]>

function given(pairs: Iterable<readonly [string, string]>): Given {
  const map = new Map<string, string[]>()
  for (const [name, value] of pairs) map.set(name, [...(map.get(name) ?? []), value])
  return map
}

const lines = (text: string, separator: string): Array<readonly [string, string]> =>
  text.split('\n').flatMap((line) => {
    const at = line.indexOf(separator)
    return at < 1 ? [] : [[line.slice(0, at), line.slice(at + separator.length)] as const]
  })

interface Kind {
  readonly name: string
  readonly wasm: () => Uint8Array | Promise<Uint8Array>
  readonly executor?: { readonly type: string }
  readonly read: (response: Response) => Promise<Given>
}

const fromBody = async (response: Response): Promise<Given> =>
  given(lines(await response.text(), ': '))
const fromHeaders = async (response: Response): Promise<Given> => given(response.headers)
const fromVariables = async (response: Response): Promise<Given> =>
  given(lines(await response.text(), '='))

const KINDS: readonly Kind[] = [
  { name: 'wasi:http 0.2', wasm: () => guest('proxy'), read: fromBody },
  { name: 'a draft of wasi:http', wasm: () => guest('proxy-draft'), read: fromBody },
  { name: 'wasi:http 0.3', wasm: asyncEcho, read: fromHeaders },
  { name: 'fermyon:spin/inbound-http', wasm: inboundEcho, read: fromHeaders },
  { name: 'a module of Spin 0.x', wasm: legacyEcho, read: fromHeaders },
]
const WAGI: readonly Kind[] = ['wagi', 'command'].map((name) => ({
  name: `WAGI (${name})`,
  wasm: () => guest(name),
  executor: { type: 'wagi' },
  read: fromVariables,
}))

async function start(
  { wasm, executor }: Kind,
  options: AppHandlerOptions = {},
): Promise<FetchHandler> {
  return createAppHandler(
    pulledApp({ guest: { wasm: await wasm() } }, [
      { route: '/:user/...', component: 'guest', ...(executor && { executor }) },
    ]),
    { clientAddress: () => '203.0.113.9:4711', ...options },
  )
}

const INTERNAL = [
  'back.spin.internal',
  'back.spin.internal:80',
  'BACK.Spin.Internal',
  'back.spin.internal.',
  'a.b.spin.internal',
  'spin.internal',
  'self.alt',
  'Self.Alt:3000',
]

describe.each(KINDS)('a client of a guest of $name', (kind) => {
  let handler: FetchHandler
  beforeAll(async () => void (handler = await start(kind)))
  const ask = async (headers: Record<string, string>, url = 'http://app.example'): Promise<Given> =>
    kind.read(await handler.fetch(new Request(`${url}/ann/x?q`, { headers })))

  it.each(INTERNAL)('can’t pass for a component by the host %s', async (host) => {
    const headers = await ask({ host })
    expect(headers.get('spin-full-url')).toEqual(['http://localhost/ann/x?q'])
    expect(JSON.stringify([...headers]).toLowerCase()).not.toMatch(/internal|self\.alt/)
  })

  it('can’t pass for a component by the URL', async () => {
    const headers = await ask({}, 'http://back.spin.internal')
    expect(headers.get('spin-full-url')).toEqual(['http://localhost/ann/x?q'])
  })

  it.each(['evil.example/..', 'a b', 'user@evil.example', 'a.example, b.example', 'a.example?'])(
    'can’t change the URL by the host %s',
    async (host) => {
      expect((await ask({ host })).get('spin-full-url')).toEqual(['http://app.example/ann/x?q'])
    },
  )

  it('can’t set what the host says', async () => {
    const forged = {
      'spin-path-info': 'forged',
      'spin-full-url': 'forged',
      'spin-matched-route': 'forged',
      'spin-base-path': 'forged',
      'spin-raw-component-route': 'forged',
      'spin-component-route': 'forged',
      'Spin-Client-Addr': 'forged',
      'spin-path-match-user': 'forged',
      'spin-path-match-admin': 'forged',
      spin_client_addr: 'forged',
      'spin-path_match-role': 'forged',
    }
    const headers = await ask({ ...forged, 'x-mine': 'mine', x_mine: 'too' })
    expect([...headers.values()].flat()).not.toContain('forged')
    expect(headers.get('spin-client-addr')).toEqual(['203.0.113.9:4711'])
    expect(headers.get('spin-path-match-user')).toEqual(['ann'])
    expect([headers.get('x-mine'), headers.get('x_mine')]).toEqual([['mine'], ['too']])
  })

  it('hands no header of the connection on', async () => {
    const names = ['connection', 'keep-alive', 'proxy-connection', 'proxy-authorization', 'upgrade']
    const headers = await ask(Object.fromEntries(names.map((name) => [name, 'x'])))
    expect(names.filter((name) => headers.has(name))).toEqual([])
  })
})

describe.each(WAGI)('a client of $name', (kind) => {
  const ask = async (
    headers: Record<string, string>,
    options?: AppHandlerOptions,
  ): Promise<Given> =>
    kind.read(
      await (
        await start(kind, options)
      ).fetch(new Request('http://app.example/ann/x', { headers })),
    )

  it('can’t set the proxy that the program uses', async () => {
    const variables = await ask({ Proxy: 'http://evil.example', 'x-mine': 'mine' })
    expect(variables.get('HTTP_PROXY')).toBeUndefined()
    expect(variables.get('HTTP_X_MINE')).toEqual(['mine'])
  })

  it('can’t set a variable of another header by an underscore', async () => {
    const forged = { X_Real_IP: 'forged', 'X-Forwarded_For': 'forged', Pro_xy: 'forged' }
    const variables = await ask({ ...forged, 'x-real-ip': '192.0.2.1' })
    expect([...variables.values()].flat()).not.toContain('forged')
    expect(variables.get('HTTP_X_REAL_IP')).toEqual(['192.0.2.1'])
  })

  it('can’t set what the host says', async () => {
    const variables = await ask({
      host: 'back.spin.internal:8080',
      'x-full-url': 'forged',
      'spin-client-addr': 'forged',
      authorization: 'forged',
      'proxy-authorization': 'forged',
      connection: 'forged',
      'transfer-encoding': 'forged',
    })
    expect(variables.get('HTTP_X_FULL_URL')).toEqual(['forged'])
    variables.forEach(
      (values, name) => name !== 'HTTP_X_FULL_URL' && expect(values).not.toContain('forged'),
    )
    expect(variables.get('X_FULL_URL')).toEqual(['http://localhost/ann/x'])
    expect(variables.get('X_CLIENT_ADDR')).toEqual(['203.0.113.9:4711'])
    expect([variables.get('SERVER_NAME'), variables.get('HTTP_HOST')]).toEqual([
      ['localhost'],
      ['localhost'],
    ])
  })

  it('is known by its address, of either family', async () => {
    const variables = await ask({}, { clientAddress: () => '[2001:db8::1]:4711' })
    expect(variables.get('REMOTE_ADDR')).toEqual(['2001:db8::1'])
    expect((await ask({})).get('REMOTE_ADDR')).toEqual(['203.0.113.9'])
  })
})

describe('a component that asks its own application', () => {
  const metadata = { allowed_outbound_hosts: ['http://self'] }
  const components: Record<string, FixtureComponent> = {
    front: { wasm: guest('async'), metadata },
    back: { wasm: guest('proxy') },
  }

  it('is not taken for a client, whatever headers it sends', async () => {
    const handler = await createAppHandler(
      pulledApp(components, [
        { route: '/outbound/...', component: 'front' },
        { route: '/...', component: 'back' },
      ]),
      // As in a Worker, where the platform names the client in a header.
      { clientAddress: () => '203.0.113.9:4711' },
    )
    const response = await handler.fetch(new Request('http://app.example/outbound/self.alt/p'))
    const headers = given(lines((await response.text()).replace(/^200 /, ''), ': '))
    expect(headers.get('spin-client-addr')).toEqual(['0.0.0.0:0'])
    expect(headers.get('spin-full-url')).toEqual(['http://self.alt/p'])
  })
})

describe('a guest of the interface before wasi:http', () => {
  it('can’t name another host than the one it was allowed, nor speak for the connection', async () => {
    const sent: Array<readonly [string, string]> = []
    await sendLegacy(
      async (request) => {
        sent.push(...request.headers)
        return new Response()
      },
      {
        method: 'get',
        uri: 'http://up.example/',
        params: [],
        headers: [
          ['Host', 'internal.example'],
          ['Connection', 'close'],
          ['Proxy-Authorization', 'Basic x'],
          ['Transfer-Encoding', 'chunked'],
          ['x-mine', 'mine'],
        ],
      },
    )
    expect(sent).toEqual([['x-mine', 'mine']])
  })
})
