import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DIGEST, relayBefore } from '../serve/relay/relay.ts'

// A path that relay and registry decode differently has two meanings.
describe('a relay', () => {
  it.each([
    '/registry.example/v2/a%2fb/manifests/v1',
    '/registry.example/v2/a/manifests/..%2f..%2f..%2fadmin',
    '/registry.example/v2/a/manifests/%2e%2e',
    '/registry.example/v2/%61/manifests/v1',
    '/registry.example%2fv2/a/manifests/v1',
    '/registry.example/v2/a/manifests/v1%3fx=1',
    '/registry.example/v2/a/manifests/v1%23',
    '/registry.example/v2/a/manifests/v1%0d%0aHost:%20evil.example',
    '/registry.example/v2/a//manifests/v1',
    '/registry.example//v2/a/manifests/v1',
    '/registry.example/v2/a;x/manifests/v1',
    `/registry.example/v2/a/blobs/${DIGEST.replace(':', '%3A')}`,
    '/registry.example/v2/a/blobs/uploads/..',
    '/registry.example/v2/a/blobs/uploads/%2e%2e/%2e%2e',
  ])('does not relay %s', async (path) => {
    const { ask, sent } = relayBefore(undefined, { writable: () => true })
    for (const method of ['GET', 'PUT', 'PATCH'])
      expect([403, 404, 405]).toContain((await ask(path, { method })).status)
    expect(sent).toEqual([])
  })

  it('normalizes backslashes and dots like every URL', async () => {
    const { ask, sent } = relayBefore()
    expect((await ask('/registry.example/v2/../../evil.example/v2/')).status).toBe(403)
    expect((await ask('/registry.example\\..\\evil.example/v2/')).status).toBe(403)
    expect((await ask('/registry.example/v2/a/../../../../../v2/')).status).toBe(404)
    expect(sent).toEqual([])
  })

  it('sends only valid paths to the registry, for any request', async () => {
    const part = fc.oneof(
      fc.constantFrom(
        'v2',
        'a',
        'manifests',
        'blobs',
        'uploads',
        'tags',
        'list',
        'referrers',
        '..',
        '.',
        '%2e%2e',
        '%2f',
        '%252f',
        '',
        '_relay',
        'token',
        'upload',
        DIGEST,
        'registry.example',
        '@',
        '?',
        '#',
        '\\',
      ),
      fc.string({ maxLength: 6 }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 8 }), async (parts) => {
        const { ask, sent } = relayBefore(undefined, { writable: () => true, deletes: true })
        await ask(`/registry.example/${parts.join('/')}`)
        for (const { url } of sent) {
          const { origin, pathname } = new URL(url)
          expect(origin).toBe('https://registry.example')
          expect(pathname).toMatch(
            /^\/v2\/?$|^\/v2\/[a-z0-9._/-]+\/(?:tags\/list|manifests\/[\w.:-]+|(?:blobs|referrers)\/[\w:]+|blobs\/uploads\/[\w.~=-]*)$/,
          )
          expect(pathname).not.toMatch(/%|\.\.|\/\//)
        }
      }),
      { numRuns: 300 },
    )
  })
})
