// What components' requests may reach, and how many at once: by addresses and connections of a real server.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { withWire } from '../../src/http/wire.ts'
import { createBlockedNetworks } from '../../src/node/fetch/blocked-networks.ts'
import { createOutboundFetch } from '../../src/node/fetch/outbound-fetch.ts'
import { httpErrorOf } from '../../src/run/host/wasi/http-errors.ts'

const closing: Array<() => void> = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A server that answers when it is let, and counts. */
async function holdingServer() {
  const held: Array<() => void> = []
  const seen = { connections: 0, most: 0, open: 0 }
  const server = createServer((_, response) => {
    seen.most = Math.max(seen.most, ++seen.open)
    response.on('close', () => seen.open--)
    held.push(() => response.end('ok'))
  })
  server.on('connection', () => seen.connections++)
  closing.push(() => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const { port } = server.address() as AddressInfo
  const arrived = async (count: number): Promise<void> => {
    while (held.length < count) await new Promise((resolve) => setTimeout(resolve, 2))
  }
  return { port, origin: `http://127.0.0.1:${port}`, held, seen, arrived }
}

const kindOf = (failed: Promise<Response>): Promise<string> =>
  failed.then(
    (response) => String(response.status),
    (error: unknown) => httpErrorOf(error).tag,
  )

describe('blocked networks', () => {
  const isBlocked = (networks: readonly string[], address: string): boolean => {
    try {
      createBlockedNetworks(networks).check(address)
      return false
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_ADDRESS_BLOCKED' })
      return true
    }
  }

  it.each([
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['8.8.8.8/16', '8.8.0.1', true],
    ['1.1.1.1', '1.1.1.1', true],
    ['1.1.1.1', '1.1.1.2', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:a01:203', true],
    ['10.0.0.0/8', '::10.1.2.3', true],
    ['10.0.0.0/8', '64:ff9b::a01:203', true],
    ['10.0.0.0/8', '::ffff:11.1.2.3', false],
    ['2001:db8::/32', '2001:db8:1::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['::1', '::1', true],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['0.0.0.0/0', '9.9.9.9', true],
    ['private', '127.0.0.1', true],
    ['private', '169.254.169.254', true],
    ['private', '192.168.0.1', true],
    ['private', '100.64.0.1', true],
    ['private', 'fd00::1', true],
    ['private', 'fe80::1', true],
    ['private', '::', true],
    ['private', '1.1.1.1', false],
    ['private', '2606:4700::1', false],
  ])('%s has %s: %s', (network, address, expected) => {
    expect(isBlocked([network], address)).toBe(expected)
  })

  it.each([
    '10.0.0.0/33',
    '10.0.0',
    'Private',
    '',
    'localhost',
    '::/129',
    '1.1.1.1/8/8',
    'fe80::1%eth0',
  ])('are not %j', (network) => {
    expect(() => createOutboundFetch({ blockNetworks: [network] })).toThrow(
      'is no network to block',
    )
  })

  it('are not reached by an address or by a name that leads there', async () => {
    const { port, seen } = await holdingServer()
    const fetch = createOutboundFetch({ blockNetworks: ['127.0.0.0/8', '::1'] })
    const kinds = []
    for (const host of [
      '127.0.0.1',
      '2130706433',
      '0x7f.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      'localhost',
    ])
      kinds.push(await kindOf(fetch(new Request(`http://${host}:${port}/`))))
    expect(kinds).toEqual(kinds.map(() => 'destination-IP-prohibited'))
    expect(seen.connections).toBe(0)
  })

  it('leave other addresses alone', async () => {
    const { origin, held, arrived } = await holdingServer()
    const asked = createOutboundFetch({ blockNetworks: ['10.0.0.0/8'] })(new Request(origin))
    await arrived(1)
    held[0]?.()
    expect(await (await asked).text()).toBe('ok')
  })

  it('are refused together with a proxy, which looks up names itself', () => {
    const proxy = { http: 'http://proxy.example' }
    expect(() => createOutboundFetch({ blockNetworks: ['private'], proxy })).toThrow(
      '"blockNetworks"',
    )
  })
})

describe('a limit of connections', () => {
  it('lets others wait until one ends, and opens no more', async () => {
    const { origin, held, seen, arrived } = await holdingServer()
    const fetch = createOutboundFetch({ maxConnections: 2 })
    const texts = Promise.all(
      Array.from({ length: 5 }, async () => (await fetch(new Request(origin))).text()),
    )
    for (let count = 1; count <= 5; count++) {
      await arrived(count)
      held[count - 1]?.()
    }
    expect(await texts).toEqual(Array.from({ length: 5 }, () => 'ok'))
    expect(seen.most).toBeLessThanOrEqual(2)
    expect(seen.connections).toBe(5)
  })

  it('is given back by a request that fails, is aborted or whose answer nobody reads', async () => {
    const { origin, held, arrived } = await holdingServer()
    const fetch = createOutboundFetch({ maxConnections: 1 })
    expect(await kindOf(fetch(new Request('http://127.0.0.1:1/')))).toBe('connection-refused')
    const broken = new Request(origin, { headers: { 'content-length': '5' } })
    await expect(fetch(broken)).rejects.toThrow()
    const stop = new AbortController()
    const aborted = fetch(new Request(origin, { signal: stop.signal }))
    await arrived(1)
    stop.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    const unread = fetch(new Request(origin))
    await arrived(2)
    held[1]?.()
    await (await unread).body?.cancel()
    const last = fetch(new Request(origin))
    await arrived(3)
    held[2]?.()
    expect(await (await last).text()).toBe('ok')
  })

  it('ends the wait with the time for a connection, or the request', async () => {
    const { origin, held, arrived } = await holdingServer()
    const fetch = createOutboundFetch({ maxConnections: 1 })
    const first = fetch(new Request(origin))
    await arrived(1)
    const timeouts = { connect: 20, idle: 1000 }
    expect(await kindOf(fetch(withWire(new Request(origin), { headers: [], timeouts })))).toBe(
      'connection-timeout',
    )
    const stop = new AbortController()
    const waiting = fetch(new Request(origin, { signal: stop.signal }))
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    held[0]?.()
    expect(await (await first).text()).toBe('ok')
    expect(held).toHaveLength(1)
  })

  it('of zero refuses all', async () => {
    const { origin, seen } = await holdingServer()
    const fetch = createOutboundFetch({ maxConnections: 0 })
    expect(await kindOf(fetch(new Request(origin)))).toBe('connection-limit-reached')
    expect(seen.connections).toBe(0)
  })

  it('keeps connections where that is asked for', async () => {
    const { origin, held, seen, arrived } = await holdingServer()
    const fetch = createOutboundFetch({ maxConnections: 1, connectionPooling: true })
    for (const count of [1, 2, 3]) {
      const asked = fetch(new Request(origin))
      await arrived(count)
      held[count - 1]?.()
      await (await asked).text()
    }
    expect(seen.connections).toBe(1)
  })

  it.each([-1, 1.5, Number.NaN])('is not %d', (maxConnections) => {
    expect(() => createOutboundFetch({ maxConnections })).toThrow('"maxConnections"')
  })
})
