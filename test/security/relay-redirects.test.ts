import { describe, expect, it } from 'vitest'
import type { FetchLike } from '../../src/types.ts'
import { always, DIGEST, RELAY, relayBefore } from '../serve/relay/relay.ts'

const BLOB = `/registry.example/v2/a/blobs/${DIGEST}`

// A registry, or a client that can push to it, could redirect a relay into its private network.
describe('a relay', () => {
  it.each([
    'https://127.0.0.1/',
    'https://localhost/',
    'https://x.localhost/',
    'https://2130706433/',
    'https://0x7f.0.0.1/',
    'https://017700000001/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[fd00:ec2::254]/latest/meta-data/',
    'https://169.254.169.254/latest/meta-data/',
    'https://metadata.google.internal/',
    'https://metadata/',
    'https://10.0.0.1/',
    'https://user:pass@storage.example/',
    'http://storage.example/',
    'ftp://storage.example/',
    'file:///etc/passwd',
    'data:text/plain,x',
    'javascript:alert(1)',
    'https://',
    'https://0.0.0.0/',
    'https://0/',
    'https://[::]/',
    'https://[0:0:0:0:0:ffff:7f00:0001]/',
    'https://[::ffff:a9fe:a9fe]/latest/meta-data/',
    'https://[fe80::1]/',
    'https://127.0.0.1./',
    'https://127.1/',
    'https://0177.0.0.1/',
    'https://LOCALHOST./',
    'https://%6c%6fcalhost/',
    'https://%E2%91%A0%E2%91%A1%E2%91%A6.0.0.1/',
    'https://loc%C2%ADalhost/',
    'https://localhost%E3%80%82/',
    'https://xn--localhost-/',
    'https://storage.example@127.0.0.1/',
    'https://127.0.0.1#@storage.example/',
    '\\\\127.0.0.1\\share',
    '//169.254.169.254/latest/meta-data/',
    'https://xn--/',
    'https://kubernetes.default.svc/api/v1/secrets',
    'https://consul.service.consul/v1/kv/',
    `${RELAY}/relay/registry.example/v2/a/manifests/v1`,
    'https://RELAY.example/relay/registry.example/v2/',
  ])('does not follow a redirect to %s', async (location) => {
    for (const status of [301, 302, 303, 307, 308]) {
      const { ask, sent } = relayBefore(always(status, { location }))
      const response = await ask(BLOB)
      expect(response.status).toBe(403)
      expect(response.headers.get('location')).toBeNull()
      expect(sent).toHaveLength(1)
    }
  })

  it('follows redirects to public storage, without the credentials for the registry', async () => {
    const upstream: FetchLike = async (request) =>
      new URL(request.url).host === 'storage.example'
        ? new Response('content', { headers: { 'content-length': '7' } })
        : new Response(null, {
            status: 307,
            headers: { location: 'https://storage.example/x?X-Amz-Signature=s3cr3t' },
          })
    const { ask, sent } = relayBefore(upstream)
    const response = await ask(BLOB, { headers: { Authorization: 'Bearer t', Range: 'bytes=0-6' } })
    expect(await response.text()).toBe('content')
    expect([...response.headers.values()].join()).not.toContain('s3cr3t')
    expect(sent.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer t', null])
    expect(sent.map(({ headers }) => headers.get('range'))).toEqual(['bytes=0-6', 'bytes=0-6'])
  })

  it('checks each hop, and does not send a token again after another origin', async () => {
    const hops: Record<string, string> = {
      'registry.example': 'https://one.example/',
      'one.example': 'https://registry.example/v2/again',
    }
    const upstream: FetchLike = async (request) => {
      const url = new URL(request.url)
      if (url.pathname === '/v2/again')
        return new Response(null, { status: 302, headers: { location: 'https://10.0.0.1/' } })
      return new Response(null, { status: 302, headers: { location: hops[url.host]! } })
    }
    const { ask, sent } = relayBefore(upstream)
    expect((await ask(BLOB, { headers: { Authorization: 'Bearer t' } })).status).toBe(403)
    expect(sent.map(({ headers }) => headers.get('authorization'))).toEqual([
      'Bearer t',
      null,
      null,
    ])
  })

  it('follows at most five redirects', async () => {
    const { ask, sent } = relayBefore(async (request) => {
      const n = Number(new URL(request.url).searchParams.get('n') ?? 0)
      return new Response(null, {
        status: 302,
        headers: { location: `https://s.example/?n=${n + 1}` },
      })
    })
    expect((await ask(BLOB)).status).toBe(403)
    expect(sent).toHaveLength(6)
  })

  it('follows no redirect of a write, nor of a list of referrers to another host', async () => {
    const location = 'https://storage.example/x'
    const { ask, sent } = relayBefore(always(302, { location }), { writable: () => true })
    for (const [method, path] of [
      ['PUT', '/registry.example/v2/a/manifests/v1'],
      ['POST', '/registry.example/v2/a/blobs/uploads/'],
      ['GET', `/registry.example/v2/a/referrers/${DIGEST}`],
    ] as const) {
      const response = await ask(path, { method })
      expect(response.status).toBe(403)
      expect(response.headers.get('location')).toBeNull()
    }
    expect(sent).toHaveLength(3)
  })
})
