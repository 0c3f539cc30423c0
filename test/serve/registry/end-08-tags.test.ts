import { describe, expect, it } from 'vitest'
import { codeOf, createClient, OCI_INDEX } from './client.ts'
import type { Client } from './client.ts'

const INDEX = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }
const TAGS = ['B', 'a', 'c', '_x', '1.0', '1.0-rc', '10', '2']
const SORTED = [...TAGS].sort()

async function tagged(): Promise<Client> {
  const client = createClient()
  for (const tag of TAGS) await client.manifest('a/b', tag, INDEX)
  return client
}

/** Follows every `Link`, like clients. */
async function walk(client: Client, path: string): Promise<string[][]> {
  const pages: string[][] = []
  for (let next: string | undefined = path; next !== undefined;) {
    const response: Response = await client.send('GET', next)
    expect(response.status).toBe(200)
    const body = (await response.json()) as { tags?: string[]; repositories?: string[] }
    pages.push(body.tags ?? body.repositories ?? [])
    next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('Link') ?? '')?.[1]
  }
  return pages
}

describe('end-8a: GET /v2/<name>/tags/list', () => {
  it('lists all tags sorted by code point', async () => {
    const response = await (await tagged()).send('GET', '/v2/a/b/tags/list')
    expect(await response.json()).toEqual({ name: 'a/b', tags: SORTED })
    expect(response.headers.get('Link')).toBeNull()
  })

  it('answers 404 for an unknown repository, and an empty list for one without tags', async () => {
    const client = createClient()
    const response = await client.send('GET', '/v2/a/tags/list')
    expect([response.status, await codeOf(response)]).toEqual([404, 'NAME_UNKNOWN'])
    await client.blob('a', 'x')
    expect(await (await client.send('GET', '/v2/a/tags/list')).json()).toEqual({
      name: 'a',
      tags: [],
    })
    await client.image('b', 'v1')
    await client.send('DELETE', '/v2/b/manifests/v1')
    expect(await (await client.send('GET', '/v2/b/tags/list')).json()).toEqual({
      name: 'b',
      tags: [],
    })
  })

  it('does not mix a repository with one below its name', async () => {
    const client = createClient()
    await client.manifest('a', 'outer', INDEX)
    await client.manifest('a/b', 'inner', INDEX)
    await client.manifest('a-b', 'beside', INDEX)
    expect(await walk(client, '/v2/a/tags/list')).toEqual([['outer']])
  })
})

describe('end-8b: GET /v2/<name>/tags/list?n=&last=', () => {
  it('returns pages that together are the list', async () => {
    const client = await tagged()
    expect(await walk(client, '/v2/a/b/tags/list?n=3')).toEqual([
      SORTED.slice(0, 3),
      SORTED.slice(3, 6),
      SORTED.slice(6),
    ])
    expect(await walk(client, '/v2/a/b/tags/list?n=4')).toEqual([
      SORTED.slice(0, 4),
      SORTED.slice(4),
    ])
    expect(await walk(client, '/v2/a/b/tags/list?n=1000')).toEqual([SORTED])
    expect(await walk(client, '/v2/a/b/tags/list?last=2')).toEqual([
      SORTED.filter((tag) => tag > '2'),
    ])
    expect(await walk(client, '/v2/a/b/tags/list?last=1.0-&n=2')).toEqual([
      ['1.0-rc', '10'],
      ['2', 'B'],
      ['_x', 'a'],
      ['c'],
    ])
  })

  it('returns nothing for n=0, and no link', async () => {
    const response = await (await tagged()).send('GET', '/v2/a/b/tags/list?n=0')
    expect([await response.json(), response.headers.get('Link')]).toEqual([
      { name: 'a/b', tags: [] },
      null,
    ])
  })

  it('rejects an invalid number', async () => {
    const client = await tagged()
    for (const n of ['-1', 'x', '1.5', ''])
      expect((await client.send('GET', `/v2/a/b/tags/list?n=${n}`)).status, n).toBe(400)
  })
})

describe('GET /v2/_catalog', () => {
  it('lists repositories in pages', async () => {
    const client = createClient()
    for (const name of ['b', 'a', 'a/b', 'a-c']) await client.manifest(name, 'v1', INDEX)
    expect(await walk(client, '/v2/_catalog')).toEqual([['a', 'a-c', 'a/b', 'b']])
    expect(await walk(client, '/v2/_catalog?n=3')).toEqual([['a', 'a-c', 'a/b'], ['b']])
  })
})
