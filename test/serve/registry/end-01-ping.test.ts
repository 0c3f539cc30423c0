import { describe, expect, it } from 'vitest'
import { codeOf, createClient } from './client.ts'

describe('end-1: GET /v2/', () => {
  it('answers 200 with the API version', async () => {
    const { send } = createClient()
    for (const path of ['/v2/', '/v2']) {
      const response = await send('GET', path)
      expect(response.status).toBe(200)
      expect(response.headers.get('Docker-Distribution-Api-Version')).toBe('registry/2.0')
      expect(await response.json()).toEqual({})
    }
  })

  it('answers HEAD without a body', async () => {
    const response = await createClient().send('HEAD', '/v2/')
    expect(response.status).toBe(200)
    expect(response.body).toBeNull()
  })

  it('answers 405 with the allowed methods', async () => {
    const { send } = createClient()
    const response = await send('POST', '/v2/')
    expect(response.status).toBe(405)
    expect(response.headers.get('Allow')).toBe('GET, HEAD, OPTIONS')
    expect(await codeOf(response)).toBe('UNSUPPORTED')
    for (const [method, path] of [
      ['PUT', '/v2/a/tags/list'],
      ['POST', '/v2/a/manifests/x'],
      ['PUT', `/v2/a/blobs/sha256:${'0'.repeat(64)}`],
      ['GET', '/v2/a/blobs/uploads/'],
    ] as const) {
      expect((await send(method, path)).status, `${method} ${path}`).toBe(405)
    }
  })

  it('answers 404 for other paths', async () => {
    const { send } = createClient()
    for (const path of ['/', '/v1/', '/v2/a', '/v2/a/b/c', '/v2//blobs/x/y', '/v2/a/tags/other']) {
      expect((await send('GET', path)).status, path).toBe(404)
    }
  })

  it('explains invalid repository names', async () => {
    const { send } = createClient()
    for (const name of [
      'A',
      'a..b',
      '-a',
      'a/',
      'a//b',
      'a_',
      'a%20b',
      'a%2fb',
      'ä',
      'a'.repeat(256),
    ]) {
      const response = await send('GET', `/v2/${name}/tags/list`)
      expect(response.status, name).toBe(400)
      expect(await codeOf(response)).toBe('NAME_INVALID')
    }
    for (const name of [
      'a',
      'a.b',
      'a_b',
      'a__b',
      'a--b',
      '0/1/2',
      'blobs/uploads',
      'tags',
      'a'.repeat(255),
    ]) {
      expect(await codeOf(await send('GET', `/v2/${name}/tags/list`)), name).toBe('NAME_UNKNOWN')
    }
  })
})
