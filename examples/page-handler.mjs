import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { lookup } from 'mrmime'

/**
 * A folder of built files as a `fetch` handler. All of it is read at once, so no path can lead out.
 *
 * @param {string} folder
 * @returns {{ fetch: (request: Request) => Promise<Response> }}
 */
export function createPageHandler(folder) {
  const files = new Map(
    readdirSync(folder).map((name) => [`/${name}`, readFileSync(join(folder, name))]),
  )
  return {
    fetch: async (request) => {
      const { pathname } = new URL(request.url)
      const path = pathname === '/' ? '/index.html' : pathname
      const bytes = files.get(path)
      if (bytes === undefined) return new Response('not found', { status: 404 })
      return new Response(bytes, {
        headers: {
          'Content-Type': lookup(path) ?? 'application/octet-stream',
          // The rest of the policy stands in the page; this can't be said there.
          'Content-Security-Policy': "frame-ancestors 'none'",
          'Cross-Origin-Opener-Policy': 'same-origin',
          'X-Content-Type-Options': 'nosniff',
          'Cache-Control': 'no-cache',
        },
      })
    },
  }
}
