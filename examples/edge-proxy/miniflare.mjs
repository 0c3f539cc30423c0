import { Miniflare } from 'miniflare'

/**
 * The Worker in workerd, the runtime that Cloudflare runs, with all that `wrangler.jsonc` binds.
 * @param {string} script
 * @param {Record<string, string>} bindings Variables and secrets.
 * @param {object} [more] Options of Miniflare, as a port or where to persist.
 */
export function createLocalWorker(script, bindings, more = {}) {
  return new Miniflare({
    compatibilityDate: '2026-03-01',
    modules: true,
    script,
    bindings,
    workerLoaders: { LOADER: {} },
    r2Buckets: ['CONTENT'],
    kvNamespaces: ['VALUES'],
    ...more,
  })
}
