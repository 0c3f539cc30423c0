import type { PulledApp } from 'spindle/app'
import { hash } from './hash.ts'
import { logEvent } from './log.ts'
import { createProxy } from './proxy.ts'
import type { Proxy } from './proxy.ts'
import type { Env, Settings } from './settings.ts'

export interface Context {
  waitUntil(work: Promise<unknown>): void
}

/** Answers by the components of an application. */
export type Components<C extends Context> = (request: Request, context: C) => Promise<Response>

/**
 * Gets the components of an application ready. Rejects when they can't run here: then what answered
 * before goes on.
 */
export type OpenComponents<E extends Env, C extends Context> = (
  app: PulledApp,
  settings: Settings,
  env: E,
) => Promise<Components<C>>

/** A Worker, as the platform calls it. */
export interface Edge<E extends Env, C extends Context> {
  fetch(request: Request, env: E, context: C): Promise<Response>
}

/**
 * The whole Worker, but how it runs components.
 * @param runnable Names what it can run, where that is not everything: another deployment's memory
 * of what answered last is of no use to it.
 */
export function createEdge<E extends Env, C extends Context>(
  openComponents: OpenComponents<E, C>,
  runnable = '',
): Edge<E, C> {
  let proxy: Promise<Proxy<C>> | undefined
  return {
    async fetch(request, env, context) {
      const started = Date.now()
      const { pathname } = new URL(request.url)
      try {
        proxy ??= createProxy(env, (app, settings) => openComponents(app, settings, env), runnable)
        const ready = await proxy
        if (pathname === '/_edge/health') return await health(ready, context)
        if (pathname === '/_edge/metrics') return await metrics(ready, request, env)
        const { response, by, digest } = await answer(ready, request, context)
        ready.metrics.count('requests', { by, status: `${String(response.status)[0]}xx` })
        const ms = Date.now() - started
        logEvent('request', {
          method: request.method,
          path: pathname,
          status: response.status,
          by,
          ms,
          digest,
        })
        return response
      } catch (error) {
        // Settings are read again at the next request: they may be mended by then.
        if ((await proxy?.catch(() => undefined)) === undefined) proxy = undefined
        logEvent('refused', { method: request.method, path: pathname, error })
        return unavailable()
      }
    },
  }
}

async function answer<C extends Context>(
  { current, open }: Proxy<C>,
  request: Request,
  context: C,
): Promise<{ response: Response; by: 'static' | 'app'; digest: string }> {
  const waitUntil = (work: Promise<unknown>): void => context.waitUntil(work)
  const { digest, ...found } = await kept(waitUntil, async () => {
    const { descriptor } = await current.get(waitUntil)
    const app = await open(descriptor)
    const fixed = app.respond(request)
    const { digest } = descriptor
    return fixed === undefined ? { digest, components: await app.components() } : { digest, fixed }
  })
  return 'fixed' in found
    ? { response: found.fixed, by: 'static', digest }
    : { response: await found.components(request, context), by: 'app', digest }
}

/** Goes on though the client leaves: others wait for the same. */
function kept<T>(
  waitUntil: (work: Promise<unknown>) => void,
  getReady: () => Promise<T>,
): Promise<T> {
  const work = getReady()
  waitUntil(work.catch(() => {}))
  return work
}

/** 200 as long as something can answer; what it is, and how old the news of it. */
async function health<C extends Context>({ current }: Proxy<C>, context: C): Promise<Response> {
  try {
    const { descriptor, checked } = await current.get((work) => context.waitUntil(work))
    const seconds = Math.round((Date.now() - checked) / 1000)
    return Response.json({ status: 'OK', digest: descriptor.digest, checkedSecondsAgo: seconds })
  } catch {
    return unavailable()
  }
}

async function metrics<C extends Context>(
  { metrics, current }: Proxy<C>,
  request: Request,
  { METRICS_TOKEN }: Env,
): Promise<Response> {
  const given = request.headers.get('authorization') ?? ''
  // Hashes, so that the time of comparing tells nothing of the token.
  const isKnown =
    METRICS_TOKEN !== undefined && (await hash(given)) === (await hash(`Bearer ${METRICS_TOKEN}`))
  if (!isKnown) return new Response(null, { status: 404 })
  const known = current.peek()
  const age =
    known === undefined ? {} : { checked_seconds_ago: (Date.now() - known.checked) / 1000 }
  const headers = { 'content-type': 'text/plain; version=0.0.4' }
  return new Response(metrics.format(age), { headers })
}

/** Why stands in the log: who asks learns nothing of what is behind. */
function unavailable(): Response {
  return new Response('The application is not available at the moment.\n', {
    status: 503,
    headers: { 'retry-after': '5', 'content-type': 'text/plain' },
  })
}
