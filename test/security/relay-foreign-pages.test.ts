import { describe, expect, it } from 'vitest'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import { always, PAGE, relayBefore, RELAY } from '../serve/relay/relay.ts'

const PATH = '/registry.example/v2/'

// A page that somebody opens must not use a relay that was made for another.
describe('a relay', () => {
  it.each([
    'https://evil.example',
    'null',
    'https://app.example.evil.example',
    'http://app.example',
    'https://app.example:8443',
    'https://APP.example',
    'https://app.example, https://evil.example',
    RELAY,
    '',
  ])('refuses a page of the origin "%s" before it sends anything', async (origin) => {
    const { ask, sent } = relayBefore(always(200))
    for (const method of ['GET', 'HEAD']) {
      const response = await ask(PATH, { method, headers: { Origin: origin } })
      expect(response.status).toBe(403)
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
    }
    const preflight = await ask(PATH, {
      method: 'OPTIONS',
      headers: { Origin: origin, 'Access-Control-Request-Method': 'PUT' },
    })
    expect(preflight.status).toBe(403)
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull()
    expect(preflight.headers.get('access-control-allow-methods')).toBeNull()
    expect(sent).toEqual([])
  })

  it.each([
    { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' },
    { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'no-cors' },
    { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate' },
    { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate' },
    // A name of the attacker's that was made to lead here is its own origin.
    { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' },
  ])('refuses what images, links, frames and rebound names ask: %o', async (headers) => {
    const { ask, sent } = relayBefore(always(200))
    expect((await ask(PATH, { headers })).status).toBe(403)
    expect(sent).toEqual([])
  })

  it('answers its own page, the pages named, and programs', async () => {
    const own = relayBefore(always(200), { origins: [RELAY] })
    const headers = { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' }
    expect((await own.ask(PATH, { headers })).status).toBe(200)
    expect((await own.ask(PATH)).status).toBe(200)
    const { ask } = relayBefore(always(200))
    const response = await ask(PATH, {
      headers: { Origin: PAGE, 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors' },
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('access-control-allow-origin')).toBe(PAGE)
    expect(response.headers.get('access-control-allow-credentials')).toBeNull()
  })

  it('answers a preflight before anything else, with all that clients send', async () => {
    const { ask, sent } = relayBefore(always(401))
    const response = await ask(PATH, {
      method: 'OPTIONS',
      headers: { Origin: PAGE, 'Access-Control-Request-Method': 'PUT' },
    })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-headers')).toContain('Authorization')
    expect(response.headers.get('access-control-allow-origin')).toBe(PAGE)
    expect(sent).toEqual([])
  })

  it.each(['*', 'app.example', 'https://app.example/', 'null', 'https://*.example'])(
    'is not made for "%s", which is no origin',
    (origin) => {
      expect(() => createRelayHandler({ registries: [], origins: [origin] })).toThrow(TypeError)
    },
  )
})
