import { describe, expect, it } from 'vitest'
import { always, DIGEST, PAGE, relayBefore } from '../serve/relay/relay.ts'

// Headers for proxies, caches and cookies must not pass the relay.
describe('a relay', () => {
  it('forwards only headers that registries need', async () => {
    const { ask, sent } = relayBefore(always(200))
    const kept = {
      accept: 'application/json',
      authorization: 'Bearer t',
      'content-type': 'application/json',
      range: 'bytes=0-1',
      'if-match': '"a"',
      'if-none-match': '"b"',
      'if-range': '"c"',
    }
    await ask(`/registry.example/v2/a/blobs/${DIGEST}`, {
      headers: {
        ...kept,
        cookie: 'session=1',
        origin: PAGE,
        referer: `${PAGE}/secret`,
        host: 'evil.example',
        forwarded: 'for=10.0.0.1',
        'x-forwarded-for': '10.0.0.1',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'http',
        'x-real-ip': '10.0.0.1',
        'cf-connecting-ip': '10.0.0.1',
        'cf-access-jwt-assertion': 'x',
        'proxy-authorization': 'Basic x',
        'relay-authorization': 'ours',
        'x-http-method-override': 'DELETE',
        'x-original-url': '/admin',
        'x-amz-security-token': 'x',
        'transfer-encoding': 'chunked',
        connection: 'close, authorization',
        te: 'trailers',
        upgrade: 'websocket',
        'content-encoding': 'gzip',
        'accept-encoding': 'br',
      },
    })
    expect(Object.fromEntries(sent[0]!.headers)).toEqual({ ...kept, 'accept-encoding': 'identity' })
  })

  it('returns only headers that clients need', async () => {
    const { ask } = relayBefore(
      always(
        200,
        {
          'set-cookie': 'session=1',
          'access-control-allow-origin': '*',
          'access-control-allow-credentials': 'true',
          'content-disposition': 'inline',
          'content-security-policy': '',
          'x-content-type-options': '',
          'cache-control': 'public, s-maxage=31536000',
          'clear-site-data': '"*"',
          'service-worker-allowed': '/',
          'strict-transport-security': 'max-age=0',
          refresh: '0; url=https://evil.example',
          'x-frame-options': 'ALLOWALL',
          'report-to': '{}',
          nel: '{}',
          server: 'secret/1.0',
          'alt-svc': 'h3="evil.example:443"',
          sourcemap: '/x',
          vary: '*',
          'docker-content-digest': DIGEST,
          'content-type': 'application/vnd.oci.image.manifest.v1+json',
        },
        '{}',
      ),
    )
    const response = await ask('/registry.example/v2/a/manifests/v1', { headers: { Origin: PAGE } })
    const names = [...response.headers.keys()].filter(
      (name) => !/^access-control-expose/.test(name),
    )
    expect(names.toSorted()).toEqual([
      'access-control-allow-origin',
      'cache-control',
      'content-disposition',
      'content-security-policy',
      'content-type',
      'cross-origin-resource-policy',
      'docker-content-digest',
      'referrer-policy',
      'vary',
      'x-content-type-options',
    ])
    expect(response.headers.get('access-control-allow-origin')).toBe(PAGE)
    expect(response.headers.get('cache-control')).toBe('private, no-store')
    expect(response.headers.get('vary')).toBe('Origin, Authorization, Relay-Authorization')
  })

  it('rejects a mirror namespace of another registry', async () => {
    const { ask, sent } = relayBefore(always(200))
    expect((await ask('/registry.example/v2/a/manifests/v1?ns=evil.example')).status).toBe(400)
    expect(sent).toEqual([])
    const response = await ask('/registry.example/v2/a/manifests/v1?ns=registry.example')
    expect(response.headers.get('oci-namespace')).toBe('registry.example')
    expect(sent[0]!.url).toBe('https://registry.example/v2/a/manifests/v1')
  })
})
