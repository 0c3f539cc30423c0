import { describe, expect, it } from 'vitest'
import { codeOf, createClient } from './client.ts'

const NOWHERE = `sha256:${'0'.repeat(64)}`

describe('end-2: GET and HEAD /v2/<name>/blobs/<digest>', () => {
  it('returns the blob with digest, length and a type that browsers do not render', async () => {
    const client = createClient()
    const { digest } = await client.blob('team/app', 'hello')
    for (const method of ['GET', 'HEAD']) {
      const response = await client.send(method, `/v2/team/app/blobs/${digest}`)
      expect(response.status).toBe(200)
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'docker-content-digest': digest,
        'content-length': '5',
        'content-type': 'application/octet-stream',
        'accept-ranges': 'bytes',
        etag: `"${digest}"`,
        'x-content-type-options': 'nosniff',
        'content-disposition': 'attachment',
      })
      expect(await response.text()).toBe(method === 'GET' ? 'hello' : '')
    }
  })

  it('accepts a digest with an encoded colon', async () => {
    const client = createClient()
    const { digest } = await client.blob('a', 'hello')
    expect((await client.send('GET', `/v2/a/blobs/${encodeURIComponent(digest)}`)).status).toBe(200)
  })

  it('answers 404 for a missing blob, without a body for HEAD', async () => {
    const { send } = createClient()
    const get = await send('GET', `/v2/a/blobs/${NOWHERE}`)
    expect(get.status).toBe(404)
    expect(await codeOf(get)).toBe('BLOB_UNKNOWN')
    const head = await send('HEAD', `/v2/a/blobs/${NOWHERE}`)
    expect(head.status).toBe(404)
    expect(head.body).toBeNull()
  })

  it('answers 400 for an invalid digest', async () => {
    const { send } = createClient()
    for (const digest of [
      'sha256:abc',
      `sha256:${'A'.repeat(64)}`,
      `md5:${'0'.repeat(32)}`,
      'latest',
      `sha512:${'0'.repeat(64)}`,
    ]) {
      const response = await send('GET', `/v2/a/blobs/${digest}`)
      expect(response.status, digest).toBe(400)
      expect(await codeOf(response)).toBe('DIGEST_INVALID')
    }
  })

  it('returns ranges', async () => {
    const client = createClient()
    const { digest } = await client.blob('a', '0123456789')
    const read = async (
      range: string,
      more: Record<string, string> = {},
    ): Promise<[number, string, string | null]> => {
      const response = await client.send('GET', `/v2/a/blobs/${digest}`, {
        headers: { Range: range, ...more },
      })
      return [response.status, await response.text(), response.headers.get('Content-Range')]
    }
    expect(await read('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10'])
    expect(await read('bytes=7-')).toEqual([206, '789', 'bytes 7-9/10'])
    expect(await read('bytes=-3')).toEqual([206, '789', 'bytes 7-9/10'])
    expect(await read('bytes=-99')).toEqual([206, '0123456789', 'bytes 0-9/10'])
    expect(await read('bytes=5-99')).toEqual([206, '56789', 'bytes 5-9/10'])
    expect(await read('bytes=0-1,4-5')).toEqual([200, '0123456789', null])
    expect(await read('lines=0-1')).toEqual([200, '0123456789', null])
    expect(await read('bytes=2-4', { 'If-Range': `"${digest}"` })).toEqual([
      206,
      '234',
      'bytes 2-4/10',
    ])
    expect(await read('bytes=2-4', { 'If-Range': '"other"' })).toEqual([200, '0123456789', null])
    for (const range of ['bytes=10-', 'bytes=99-100', 'bytes=5-0', 'bytes=-0']) {
      const [status, , contentRange] = await read(range)
      expect([status, contentRange], range).toEqual([416, 'bytes */10'])
    }
  })

  it('answers 304 to a matching If-None-Match', async () => {
    const client = createClient()
    const { digest } = await client.blob('a', 'hello')
    for (const tag of [`"${digest}"`, `W/"${digest}"`, `"x", "${digest}"`, '*']) {
      const response = await client.send('GET', `/v2/a/blobs/${digest}`, {
        headers: { 'If-None-Match': tag },
      })
      expect([response.status, response.body], tag).toEqual([304, null])
      expect(response.headers.get('ETag')).toBe(`"${digest}"`)
    }
    expect(
      (await client.send('GET', `/v2/a/blobs/${digest}`, { headers: { 'If-None-Match': '"x"' } }))
        .status,
    ).toBe(200)
  })
})

describe('end-10: DELETE /v2/<name>/blobs/<digest>', () => {
  it('removes the blob from this repository only', async () => {
    const client = createClient()
    const { digest } = await client.blob('a', 'hello')
    await client.blob('b', 'hello')
    expect((await client.send('DELETE', `/v2/a/blobs/${digest}`)).status).toBe(202)
    expect((await client.send('GET', `/v2/a/blobs/${digest}`)).status).toBe(404)
    expect((await client.send('GET', `/v2/b/blobs/${digest}`)).status).toBe(200)
    const again = await client.send('DELETE', `/v2/a/blobs/${digest}`)
    expect(again.status).toBe(404)
    expect(await codeOf(again)).toBe('BLOB_UNKNOWN')
    await client.blob('a', 'hello')
    expect((await client.send('GET', `/v2/a/blobs/${digest}`)).status).toBe(200)
  })

  it('answers 405 when the registry is read-only', async () => {
    const { send } = createClient({ readOnly: true })
    for (const [method, path] of [
      ['DELETE', `/v2/a/blobs/${NOWHERE}`],
      ['DELETE', '/v2/a/manifests/x'],
      ['POST', '/v2/a/blobs/uploads/'],
      ['PUT', '/v2/a/manifests/x'],
    ] as const) {
      const response = await send(method, path)
      expect(response.status).toBe(405)
      expect(await codeOf(response)).toBe('UNSUPPORTED')
    }
    expect((await send('GET', `/v2/a/blobs/${NOWHERE}`)).status).toBe(404)
  })
})
