// Both pages of this folder with what they need, each on its own origin: what `npm start` serves and
// what tests and pictures open.
import { join } from 'node:path'
import { createPageHandler } from './page-handler.mjs'
import { buildPlayground } from './playground/build.mjs'
import { buildUploader } from './uploader/build.mjs'

/**
 * What the pages are called on this machine: browsers take every name below `localhost` to it.
 * Previews are below this one, so that they are another origin of the same site: browsers that hold
 * other sites' frames for trackers let those keep a Service Worker.
 */
const HOST = 'spindle.localhost'

/** Where the relay is on the pages' own origin. */
export const RELAY_PREFIX = '/relay'

/**
 * @typedef {{ fetch: (request: Request) => Promise<Response> }} Handler
 *
 * @param {object} parts
 * @param {(handler: Handler, offset: number) => Promise<{ url: string, close: () => Promise<void> }>} parts.listen
 *   Puts a handler behind a port; `offset` tells them apart.
 * @param {string} parts.folder Is emptied, and built into.
 * @param {readonly string[]} parts.relayed Registries that the relay goes to.
 * @param {(origins: readonly string[]) => Handler} parts.createRelay Is told the pages' origins.
 * @param {string} [parts.trustedRoot] Path of a trusted root: see `playground/build.mjs`.
 */
export async function servePages({ listen, folder, relayed, createRelay, trustedRoot }) {
  const missing = { fetch: async () => new Response('not ready', { status: 503 }) }
  // Built once the ports are known, for they stand in the pages.
  let pages = missing
  let previews = missing
  const page = await listen({ fetch: (request) => pages.fetch(request) }, 0)
  const preview = await listen({ fetch: (request) => previews.fetch(request) }, 1)
  const names = [HOST, 'localhost', '127.0.0.1']
  const { port } = new URL(page.url)
  const previewPort = new URL(preview.url).port
  const origins = names.map((name) => `http://${name}:${port}`)
  const previewOrigins = names.map(
    (name) => `http://${name === HOST ? '*.' : ''}${name}:${previewPort}`,
  )

  const both = { relay: RELAY_PREFIX, relayed }
  const uploader = await buildUploader(join(folder, 'uploader'), {
    ...both,
    playground: 'playground/',
  })
  const playground = await buildPlayground(
    join(folder, 'playground'),
    { ...both, uploader: '../', preview: previewOrigins },
    trustedRoot,
  )
  const handlers = {
    relay: createRelay(origins),
    uploader: createPageHandler(uploader.folder),
    playground: createPageHandler(playground.page, { prefix: '/playground/' }),
  }
  previews = createPageHandler(playground.preview, { framed: true })
  pages = {
    fetch: async (request) => {
      const { pathname, origin, search } = new URL(request.url)
      if (pathname.startsWith(`${RELAY_PREFIX}/`)) return handlers.relay.fetch(request)
      if (pathname === '/playground')
        return Response.redirect(`${origin}/playground/${search}`, 308)
      if (pathname.startsWith('/playground/')) return handlers.playground.fetch(request)
      return handlers.uploader.fetch(request)
    },
  }
  return { page, preview, origin: origins[0], previewOrigin: previewOrigins[0], origins }
}
