import { expect, it } from 'vitest'
import { always, relayBefore } from '../serve/relay/relay.ts'

const linkOf = async (link: string): Promise<string | null> =>
  (await relayBefore(always(200, { link })).ask('/registry.example/v2/a/tags/list')).headers.get(
    'link',
  )

// Clients request the next page of a list with the same token.
it.each([
  '<https://evil.example/v2/a/tags/list?last=x>; rel="next"',
  '<//evil.example/v2/a/tags/list>; rel="next"',
  '<https://registry.example:8443/v2/a/tags/list>; rel="next"',
  '<http://registry.example/v2/a/tags/list>; rel="next"',
  '</v2/b/tags/list?last=x>; rel="next"',
  '</v2/a/manifests/v1>; rel="next"',
  '</admin>; rel="next"',
  '<https://registry.example/v2/a/tags/list>; rel="preload"',
  '</v2/a/tags/list%2f..>; rel=next',
  '<>; rel=stylesheet, <https://evil.example/x.css>; rel=stylesheet',
])('a relay drops a link that is %s', async (link) => {
  expect(await linkOf(link)).toBeNull()
})

it.each([
  '</v2/a/tags/list?last=x&n=2>; rel="next"',
  '<https://registry.example/v2/a/tags/list?last=x&n=2>; rel=next',
  '/v2/a/tags/list?last=x&n=2; rel=next',
])('a relay rewrites the next page %s', async (link) => {
  expect(await linkOf(link)).toBe('</relay/registry.example/v2/a/tags/list?last=x&n=2>; rel="next"')
})
