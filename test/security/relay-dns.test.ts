import { describe, expect, it } from 'vitest'
import { resolveHost } from '../../src/node/fetch/resolve-host.ts'
import { always, DIGEST, relayBefore } from '../serve/relay/relay.ts'

const BLOB = `/registry.example/v2/a/blobs/${DIGEST}`
const resolving =
  (names: Record<string, readonly string[]>) =>
  async (name: string): Promise<readonly string[]> =>
    names[name] ?? []

// A public name can have a private address.
describe('a relay that resolves names', () => {
  it.each([
    [['127.0.0.1']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['169.254.169.254']],
    [['93.184.215.14', '10.0.0.1']],
  ])('does not follow a redirect to a name that resolves to %s', async (addresses) => {
    const { ask, sent } = relayBefore(always(302, { location: 'https://rebound.example/x' }), {
      resolveHost: resolving({
        'registry.example': ['93.184.215.14'],
        'rebound.example': addresses,
      }),
    })
    expect((await ask(BLOB)).status).toBe(403)
    expect(sent).toHaveLength(1)
  })

  it('does not connect to a registry whose name now resolves to a private address', async () => {
    const { ask, sent } = relayBefore(always(200), {
      resolveHost: resolving({ 'registry.example': ['127.0.0.1'] }),
    })
    expect((await ask(BLOB)).status).toBe(403)
    expect(sent).toEqual([])
  })

  it('answers 502 when the name does not resolve', async () => {
    const { ask, sent } = relayBefore(always(200), { resolveHost: resolving({}) })
    expect((await ask(BLOB)).status).toBe(502)
    const failing = relayBefore(always(200), {
      resolveHost: async () => {
        throw new Error('ENOTFOUND registry.example')
      },
    })
    const response = await failing.ask(BLOB)
    expect(response.status).toBe(502)
    expect(await response.text()).not.toContain('ENOTFOUND')
    expect([...sent, ...failing.sent]).toEqual([])
  })

  it('detects a loopback address with the resolver of Node', async () => {
    expect(await resolveHost('localhost')).toSatisfy((all: readonly string[]) =>
      all.every((address) => address === '::1' || address.startsWith('127.')),
    )
  })
})

// Without a resolver, as in Workers, private names are still rejected by name.
it.each(['localhost', 'localhost.', 'a.localhost', 'printer.local', 'db.internal', 'intranet'])(
  'a relay follows nobody to %s',
  async (name) => {
    const { ask, sent } = relayBefore(always(302, { location: `https://${name}/` }))
    expect((await ask(BLOB)).status).toBe(403)
    expect(sent).toHaveLength(1)
  },
)
