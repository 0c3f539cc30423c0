import { describe, expect, it } from 'vitest'
import { createClient } from './client.ts'
import type { AuthScope } from '../../../src/types.ts'

describe('end-11: POST ?mount=&from=', () => {
  it('mounts a blob from another repository', async () => {
    const client = createClient()
    const { digest } = await client.blob('a', 'hello')
    const response = await client.send('POST', `/v2/b/c/blobs/uploads/?mount=${digest}&from=a`)
    expect([
      response.status,
      response.headers.get('Location'),
      response.headers.get('Docker-Content-Digest'),
    ]).toEqual([201, `/v2/b/c/blobs/${digest}`, digest])
    expect(await (await client.send('GET', `/v2/b/c/blobs/${digest}`)).text()).toBe('hello')
    await client.send('DELETE', `/v2/a/blobs/${digest}`)
    expect((await client.send('GET', `/v2/b/c/blobs/${digest}`)).status).toBe(200)
  })

  it('opens an upload when the source does not have the blob', async () => {
    const client = createClient()
    const { digest } = await client.blob('a', 'hello')
    for (const from of ['other', 'NO NAME', '']) {
      const response = await client.send(
        'POST',
        `/v2/b/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`,
      )
      expect(response.status, from).toBe(202)
      expect(
        (
          await client.send('PUT', `${response.headers.get('Location')}?digest=${digest}`, {
            body: 'hello',
          })
        ).status,
      ).toBe(201)
      await client.send('DELETE', `/v2/b/blobs/${digest}`)
    }
  })

  it('finds the blob in any repository without a source if everyone can read everything', async () => {
    const client = createClient()
    const { digest } = await client.blob('a', 'hello')
    expect((await client.send('POST', `/v2/b/blobs/uploads/?mount=${digest}`)).status).toBe(201)
    expect(
      (await client.send('POST', `/v2/b/blobs/uploads/?mount=sha256:${'0'.repeat(64)}`)).status,
    ).toBe(202)
  })

  it('mounts only from repositories that the client can read, and not without a source then', async () => {
    const seen: AuthScope[] = []
    const client = createClient({
      authorize: (_, scope) => {
        seen.push(scope)
        return !scope.repository.startsWith('secret')
      },
    })
    const open = createClient()
    const { digest } = await open.blob('a', 'hello')
    await client.blob('a', 'hello')
    expect((await client.send('POST', `/v2/b/blobs/uploads/?mount=${digest}&from=a`)).status).toBe(
      201,
    )
    expect(seen.at(-1)).toEqual({ registry: 'registry.test', repository: 'a', actions: ['pull'] })
    expect(
      (await client.send('POST', `/v2/c/blobs/uploads/?mount=${digest}&from=secret/x`)).status,
    ).toBe(202)
    expect((await client.send('POST', `/v2/c/blobs/uploads/?mount=${digest}`)).status).toBe(202)
  })
})
