import { describe, expect, it } from 'vitest'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import { always, PAGE, relayBefore, RELAY } from '../serve/relay/relay.ts'

const PATH = '/registry.example/v2/'

// A page must not use a relay that is intended for other pages.
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
  ])('rejects a page of the origin "%s" before it sends anything', async (origin) => {
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
    // With DNS rebinding, the attacker's name is the own origin.
    { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' },
  ])('rejects requests of images, links, frames and rebound names: %o', async (headers) => {
    const { ask, sent } = relayBefore(always(200))
    expect((await ask(PATH, { headers })).status).toBe(403)
    expect(sent).toEqual([])
  })

  it('answers its own page, allowed pages, and other clients', async () => {
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

  it('answers a preflight first, with all headers that clients send', async () => {
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
