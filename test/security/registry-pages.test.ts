import { expect, it } from 'vitest'
import { createClient, OCI_INDEX } from '../serve/registry/client.ts'

// Everyone who can push chooses bytes on the registry's origin: browsers must never run them there.
it('never serves pushed content as a page or a script', async () => {
  const client = createClient()
  const { digest } = await client.blob('a', '<script>alert(1)</script>')
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }
  await client.manifest('a', 'v1', index)
  const blob = await client.send('GET', `/v2/a/blobs/${digest}`, {
    headers: { Accept: 'text/html' },
  })
  expect(blob.headers.get('Content-Type')).toBe('application/octet-stream')
  expect(blob.headers.get('Content-Disposition')).toBe('attachment')
  for (const path of [
    `/v2/a/blobs/${digest}`,
    '/v2/a/manifests/v1',
    '/v2/',
    '/v2/<script>/tags/list',
    '/x',
  ]) {
    const { headers } = await client.send('GET', path)
    expect(headers.get('X-Content-Type-Options'), path).toBe('nosniff')
    expect(headers.get('Content-Security-Policy'), path).toContain('sandbox')
    expect(headers.get('Content-Type'), path).toMatch(
      /^application\/(?:octet-stream|(?:[\w.-]+\+)?json)$/,
    )
  }
  for (const type of [
    'text/html',
    'image/svg+xml',
    'application/xhtml+xml',
    'application/javascript',
    'text/json',
  ]) {
    const response = await client.send('PUT', '/v2/a/manifests/v2', {
      headers: { 'Content-Type': type },
      body: '{}',
    })
    expect(response.status, type).toBe(400)
  }
})
