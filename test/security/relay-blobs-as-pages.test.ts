import { expect, it } from 'vitest'
import { always, DIGEST, relayBefore } from '../serve/relay/relay.ts'

// Blobs, manifests and errors are untrusted content on the relay's origin, which is often that of an app.
it.each([
  'text/html',
  'text/html; charset=utf-8',
  'image/svg+xml',
  'application/xhtml+xml',
  'text/xml',
  'application/javascript',
  'text/javascript',
  'text/css',
  'application/wasm',
  'application/pdf',
  'application/json+html',
  'application/json, text/html',
  'multipart/x-mixed-replace; boundary=application/json',
  'application/manifest',
  '',
])('a relay serves nothing as %s', async (type) => {
  for (const [path, status] of [
    [`/registry.example/v2/a/blobs/${DIGEST}`, 200],
    ['/registry.example/v2/a/manifests/v1', 200],
    ['/registry.example/v2/a/manifests/v2', 404],
    ['/registry.example/v2/', 500],
  ] as const) {
    const upstream = always(status, { 'content-type': type }, '<script>alert(1)</script>')
    const { headers } = await relayBefore(upstream).ask(path)
    expect(headers.get('content-type')).toBe('application/octet-stream')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-disposition')).toBe('attachment')
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; frame-ancestors 'none'; sandbox",
    )
  }
})

it('a relay protects its own error responses in the same way', async () => {
  const { ask } = relayBefore()
  for (const path of ['/<script>/v2/', '/registry.example/<script>', '/x']) {
    const response = await ask(path)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(await response.text()).not.toContain('script')
  }
})
