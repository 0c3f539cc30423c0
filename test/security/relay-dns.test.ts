import { describe, expect, it } from 'vitest'
import { resolveHost } from '../../src/node/fetch/resolve-host.ts'
import { always, DIGEST, relayBefore } from '../serve/relay/relay.ts'

const BLOB = `/registry.example/v2/a/blobs/${DIGEST}`
const resolving =
  (names: Record<string, readonly string[]>) =>
  async (name: string): Promise<readonly string[]> =>
    names[name] ?? []

// A public name may have a private address.
describe('a relay that resolves names', () => {
  it.each([
    [['127.0.0.1']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['169.254.169.254']],
    [['93.184.215.14', '10.0.0.1']],
  ])('does not follow to a name that means %s', async (addresses) => {
    const { ask, sent } = relayBefore(always(302, { location: 'https://rebound.example/x' }), {
      resolveHost: resolving({
        'registry.example': ['93.184.215.14'],
        'rebound.example': addresses,
      }),
    })
    expect((await ask(BLOB)).status).toBe(403)
    expect(sent).toHaveLength(1)
  })

  it('does not go to a registry whose name has become private', async () => {
    const { ask, sent } = relayBefore(always(200), {
      resolveHost: resolving({ 'registry.example': ['127.0.0.1'] }),
    })
    expect((await ask(BLOB)).status).toBe(403)
    expect(sent).toEqual([])
  })

  it("goes nowhere when the name is nobody's", async () => {
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

  it('finds the loopback behind a name with what Node has', async () => {
    expect(await resolveHost('localhost')).toSatisfy((all: readonly string[]) =>
      all.every((address) => address === '::1' || address.startsWith('127.')),
    )
  })
})

// Without a resolver, as in Workers, names of the inside are still known by themselves.
it.each(['localhost', 'localhost.', 'a.localhost', 'printer.local', 'db.internal', 'intranet'])(
  'a relay follows nobody to %s',
  async (name) => {
    const { ask, sent } = relayBefore(always(302, { location: `https://${name}/` }))
    expect((await ask(BLOB)).status).toBe(403)
    expect(sent).toHaveLength(1)
  },
)
