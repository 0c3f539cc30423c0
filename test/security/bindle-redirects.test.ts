import { describe, expect, it } from 'vitest'
import { createBindleClient } from '../../src/bindle/client.ts'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { bindleOf, clientOf } from '../bindle/small-bindle.ts'

// A server sends a client elsewhere: with its login, out of https, or in circles.

const credentials = { username: 'ann', password: 's3cret' }

describe('a redirect', () => {
  it('of a parcel is followed to another host, without the login, and what comes is checked', async () => {
    const bindle = await bindleOf(['red'])
    const handler = createBindleHandler()
    await pushStandalone(clientOf(handler), bindle)
    const seen: (string | null)[] = []
    let content = 'red'
    const client = createBindleClient('https://bindle.test/v1', {
      retry: false,
      credentials,
      fetch: async (request) => {
        if (new URL(request.url).host === 'store.test') {
          seen.push(request.headers.get('authorization'))
          return new Response(content)
        }
        return request.url.includes('@')
          ? Response.redirect('https://store.test/parcel', 307)
          : handler.fetch(request)
      },
    })
    const { label } = bindle.invoice.parcel![0]!
    expect(await new Response(await client.parcel(bindle.id, label)).text()).toBe('red')
    content = 'bad'
    const bad = await client.parcel(bindle.id, label)
    await expect(new Response(bad).text()).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
    expect(seen).toEqual([null, null])
  })

  it.each([
    ['out of https', 'http://bindle.test/v1/x'],
    ['to no web address', 'file:///etc/passwd'],
    ['in a circle', 'https://bindle.test/v1/again'],
  ])('%s is not followed', async (_, location) => {
    let requests = 0
    const client = createBindleClient('https://bindle.test/v1', {
      retry: false,
      fetch: async () => {
        requests++
        return new Response(null, { status: 307, headers: { location } })
      },
    })
    await expect(client.invoice('team/app/1.0.0')).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
    expect(requests).toBeLessThan(10)
  })

  it('of an upload carries no login to another host', async () => {
    const bindle = await bindleOf(['red'])
    const handler = createBindleHandler()
    const elsewhere: (string | null)[] = []
    const client = createBindleClient('https://bindle.test/v1', {
      retry: false,
      credentials,
      fetch: async (request) => {
        if (new URL(request.url).host !== 'bindle.test') {
          elsewhere.push(request.headers.get('authorization'))
          return new Response(null, { status: 200 })
        }
        return request.url.includes('@')
          ? Response.redirect('https://thief.test/', 307)
          : handler.fetch(request)
      },
    })
    await expect(pushStandalone(client, bindle)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_/),
    })
    expect(elsewhere.filter((header) => header !== null)).toEqual([])
  })
})
