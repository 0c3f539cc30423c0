import { Miniflare } from 'miniflare'

/**
 * The Worker in workerd, the runtime that Cloudflare runs, with all that `wrangler.jsonc` binds.
 * @param {object[]} modules As `buildEdgeProxy` or `buildBoundEdgeProxy` makes them.
 * @param {Record<string, string>} bindings Variables and secrets.
 * @param {object} [more] Options of Miniflare, as the loader, a port or where to persist.
 */
export function createLocalWorker(modules, bindings, more = {}) {
  return new Miniflare({
    compatibilityDate: '2026-03-01',
    modules,
    bindings,
    r2Buckets: ['CONTENT'],
    kvNamespaces: ['VALUES'],
    ...more,
  })
}

/** What the Worker needs that loads components, and the one that has them bound does not. */
export const LOADER = { workerLoaders: { LOADER: {} } }
