import { describe, expect, it } from 'vitest'
import { createSealer } from '../../src/serve/relay/seal.ts'
import type { FetchLike } from '../../src/types.ts'
import { always, RELAY, relayBefore, SECRET } from '../serve/relay/relay.ts'

const writable = () => true
const START = '/registry.example/v2/a/blobs/uploads/'
const start = (location: string): FetchLike => always(202, { location, range: '0-0' })
const POST = { method: 'POST' }

// Clients send their bytes and their token to the location of an upload.
describe('a relay', () => {
  it('rewrites locations of the registry', async () => {
    for (const location of [
      '/v2/a/blobs/uploads/1?_state=x',
      'https://registry.example/v2/a/blobs/uploads/1?_state=x',
      'http://registry.example/v2/a/blobs/uploads/1?_state=x',
    ]) {
      const { ask } = relayBefore(start(location), { writable })
      expect((await ask(START, POST)).headers.get('location')).toBe(
        '/relay/registry.example/v2/a/blobs/uploads/1?_state=x',
      )
    }
  })

  it('seals all other locations, and sends no token there', async () => {
    for (const location of [
      'https://storage.example/upload?sig=s3cr3t#x',
      'https://registry.example/artifacts-uploads/namespaces/p/1',
      'https://registry.example/v2/another/blobs/uploads/1',
    ]) {
      const { ask, sent } = relayBefore(
        async (request) =>
          request.method === 'POST'
            ? start(location)(request)
            : new Response(null, { status: 201 }),
        { writable },
      )
      const sealed = (await ask(START, POST)).headers.get('location')!
      expect(sealed).toMatch(/^\/relay\/registry\.example\/_relay\/upload\/[\w.-]+$/)
      const response = await ask(`${sealed.slice('/relay'.length)}?digest=sha256:x&sig=other`, {
        method: 'PUT',
        headers: { Authorization: 'Bearer t' },
        body: 'x',
      })
      expect(response.status).toBe(201)
      const put = sent.at(-1)!
      const expected = new URL(location)
      expected.hash = ''
      expected.searchParams.set('digest', 'sha256:x')
      expect(put.url).toBe(expected.href)
      const isOwn = expected.host === 'registry.example'
      expect(put.headers.get('authorization')).toBe(isOwn ? 'Bearer t' : null)
    }
  })

  it.each([
    'http://storage.example/x',
    'ftp://storage.example/x',
    'https://user:pass@storage.example/x',
    'file:///etc/passwd',
    'https://',
  ])('drops a location that is %s', async (location) => {
    const { ask } = relayBefore(start(location), { writable })
    expect((await ask(START, POST)).headers.get('location')).toBeNull()
  })

  it.each([
    'https://10.0.0.1/x',
    'https://localhost/x',
    'https://2852039166/latest/meta-data/',
    'https://[::ffff:169.254.169.254]/x',
    'https://storage.example:9200/x',
    // The relay itself: an endless loop.
    `${RELAY}/relay/registry.example/v2/a/blobs/uploads/1`,
  ])('does not send an upload to the location %s', async (location) => {
    const { ask, sent } = relayBefore(start(location), { writable })
    const sealed = (await ask(START, POST)).headers.get('location')!
    expect((await ask(sealed.slice('/relay'.length), { method: 'PUT', body: 'x' })).status).toBe(
      403,
    )
    expect(sent).toHaveLength(1)
  })

  it('authorizes a sealed upload again, for its repository', async () => {
    const sealer = createSealer(SECRET)
    const seal = await sealer.seal({
      kind: 'sealed',
      registry: 'registry.example',
      repository: 'theirs',
      url: 'https://storage.example/x',
    })
    const { ask, sent } = relayBefore(always(201), {
      writable: ({ repository }) => repository === 'ours',
    })
    const path = `/registry.example/_relay/upload/${seal}`
    for (const method of ['PUT', 'PATCH', 'DELETE', 'GET'])
      expect((await ask(path, { method })).status, method).toBe(403)
    expect(sent).toEqual([])
  })

  it('drops the location of a manifest on another host', async () => {
    const { ask } = relayBefore(
      always(201, { location: 'https://evil.example/v2/a/manifests/v1' }),
      {
        writable,
      },
    )
    const response = await ask('/registry.example/v2/a/manifests/v1', { method: 'PUT', body: '{}' })
    expect(response.status).toBe(201)
    expect(response.headers.get('location')).toBeNull()
  })
})
