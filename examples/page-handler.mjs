import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { lookup } from 'mrmime'

/**
 * A folder of built files as a `fetch` handler. All of it is read at once, so no path can lead out.
 *
 * @param {string} folder
 * @param {{ prefix?: string, framed?: boolean }} [options] The path that it is at, and whether
 *   other pages may show these in frames.
 * @returns {{ fetch: (request: Request) => Promise<Response> }}
 */
export function createPageHandler(folder, { prefix = '/', framed = false } = {}) {
  const files = new Map(
    readdirSync(folder).map((name) => [prefix + name, readFileSync(join(folder, name))]),
  )
  return {
    fetch: async (request) => {
      const { pathname } = new URL(request.url)
      const path = pathname === prefix ? `${prefix}index.html` : pathname
      const bytes = files.get(path)
      if (bytes === undefined)
        return new Response('There is nothing here.\n', {
          status: 404,
          headers: { 'Content-Type': 'text/plain; charset=utf-8' },
        })
      return new Response(bytes, {
        headers: {
          'Content-Type': lookup(path) ?? 'application/octet-stream',
          // The rest of the policy stands in the page; this can't be said there.
          ...(framed ? {} : { 'Content-Security-Policy': "frame-ancestors 'none'" }),
          'Cross-Origin-Opener-Policy': 'same-origin',
          // One origin's scripts that never end don't hold up another's.
          'Origin-Agent-Cluster': '?1',
          'X-Content-Type-Options': 'nosniff',
          'Cache-Control': 'no-cache',
        },
      })
    },
  }
}
