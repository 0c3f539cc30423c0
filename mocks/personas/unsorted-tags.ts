import type { FetchHandler } from '../../src/types.ts'

/** docker-registry 2.8.2 ignores `n` and `last`, sends all tags in no order (measured); Cloudflare's writes `Link` without brackets. */
export function createUnsortedTagsPersona(
  registry: FetchHandler,
  options: { readonly pageSize?: number } = {},
): FetchHandler {
  return {
    async fetch(request) {
      const url = new URL(request.url)
      if (!url.pathname.endsWith('/tags/list')) return registry.fetch(request)
      const { pageSize } = options
      const at = Number(url.searchParams.get('at') ?? 0)
      const all = (await (await registry.fetch(new Request(url.origin + url.pathname))).json()) as {
        name: string
        tags: string[]
      }
      const tags = all.tags.toReversed()
      if (pageSize === undefined) return Response.json({ ...all, tags })
      const headers: Record<string, string> =
        at + pageSize < tags.length ? { link: `${url.pathname}?at=${at + pageSize}; rel=next` } : {}
      return Response.json({ ...all, tags: tags.slice(at, at + pageSize) }, { headers })
    },
  }
}
