import { describe, expect, it } from 'vitest'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import { DIGEST, PAGE, relayBefore, RELAY } from '../serve/relay/relay.ts'

// A relay without restrictions would be an open proxy.
describe('a relay', () => {
  it('relays nothing without registries', async () => {
    let asked = 0
    const relay = createRelayHandler({
      registries: [],
      origins: [],
      fetch: async () => {
        asked++
        return new Response()
      },
    })
    for (const host of ['ghcr.io', 'registry.example', 'localhost'])
      expect((await relay.fetch(new Request(`${RELAY}/relay/${host}/v2/`))).status).toBe(403)
    expect(asked).toBe(0)
  })

  it.each([
    '/v2/',
    '/?url=https://registry.example/v2/',
    '/https://registry.example/v2/',
    '/registry.example',
    '/registry.example/',
    '/registry.example/v1/search',
    '/registry.example/v2/_catalog',
    '/registry.example/v2/a/b',
    '/registry.example/v2/a/manifests/',
    '/registry.example/v2/a/manifests/v1/x',
    '/registry.example/v2/a/tags/listing',
    '/registry.example/api/v2.0/users',
    '/registry.example/v2/a/blobs/uploads/../../../../admin',
    `/registry.example/v2/A/blobs/${DIGEST}`,
    '/registry.example/v2/a/blobs/sha256:short',
  ])('does not relay %s', async (path) => {
    const { ask, sent } = relayBefore(undefined, { writable: () => true, deletes: true })
    for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
      const response = await ask(path, { method })
      expect([403, 404, 405], `${method} ${path}`).toContain(response.status)
    }
    expect(sent).toEqual([])
  })

  it('rejects pushes and deletions by default', async () => {
    const { ask, sent } = relayBefore()
    const requests: ReadonlyArray<readonly [string, string]> = [
      ['POST', '/registry.example/v2/a/blobs/uploads/'],
      ['PUT', '/registry.example/v2/a/manifests/v1'],
      ['PATCH', '/registry.example/v2/a/blobs/uploads/1'],
      ['DELETE', '/registry.example/v2/a/manifests/v1'],
      ['DELETE', `/registry.example/v2/a/blobs/${DIGEST}`],
    ]
    for (const [method, path] of requests) expect((await ask(path, { method })).status).toBe(403)
    expect(sent).toEqual([])
  })

  it('rejects deletions where it allows pushes, and allows pushes only by the rule', async () => {
    const { ask, sent } = relayBefore(undefined, {
      writable: ({ repository }) => repository === 'team/app',
    })
    expect(
      (await ask('/registry.example/v2/team/app/manifests/v1', { method: 'DELETE' })).status,
    ).toBe(403)
    expect(
      (await ask('/registry.example/v2/team/app2/blobs/uploads/', { method: 'POST' })).status,
    ).toBe(403)
    expect(sent).toEqual([])
    expect(
      (await ask('/registry.example/v2/team/app/blobs/uploads/', { method: 'POST' })).status,
    ).toBe(202)
  })

  it.each(['CONNECT', 'TRACE', 'PROPFIND', 'QUERY'])('rejects the method %s', async (method) => {
    const { relay, sent } = relayBefore()
    const request = new Request(`${RELAY}/relay/registry.example/v2/`)
    Object.defineProperty(request, 'method', { value: method })
    expect((await relay.fetch(request)).status).toBe(405)
    expect(sent).toEqual([])
  })

  it('limits the requests of one user', async () => {
    const { relay } = relayBefore(undefined, {
      limits: {
        requestsPerMinute: 2,
        keyOf: (request) => request.headers.get('relay-authorization') ?? '',
      },
    })
    const ask = async (user: string): Promise<number> =>
      (
        await relay.fetch(
          new Request(`${RELAY}/relay/registry.example/v2/`, {
            headers: { 'Relay-Authorization': user, Origin: PAGE },
          }),
        )
      ).status
    const statuses = [await ask('a'), await ask('a'), await ask('a'), await ask('b')]
    // The minute can end between two requests, once.
    expect(statuses[3]).toBe(200)
    expect([
      [200, 200, 429, 200],
      [200, 200, 200, 200],
    ]).toContainEqual(statuses)
  })
})
