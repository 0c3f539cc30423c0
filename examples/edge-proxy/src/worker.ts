import { WorkerEntrypoint } from 'cloudflare:workers'
import { createWorkerHost, createWorkersKeyValue, toWorkerCode } from 'spindle/worker-loader'
import { hash } from './hash.ts'
import { logEvent } from './log.ts'
import { createProxy } from './proxy.ts'
import type { Proxy } from './proxy.ts'
import type { Env } from './settings.ts'

interface Context {
  waitUntil(work: Promise<unknown>): void
  readonly exports: { AppHost(options: object): { fetch(request: Request): Promise<Response> } }
}

/** What the loaded application asks of this Worker. Nobody else can reach it. */
export class AppHost extends WorkerEntrypoint<Env> {
  fetch(request: Request): Promise<Response> {
    const { VALUES } = this.env
    return createWorkerHost({
      keyValue: (label) =>
        VALUES === undefined ? undefined : createWorkersKeyValue(VALUES, { prefix: `${label}/` }),
      onLog: ({ component, stream, text }) => logEvent('app', { component, stream, text }),
    }).fetch(request)
  }
}

let proxy: Promise<Proxy> | undefined

export default {
  async fetch(request: Request, env: Env, context: Context): Promise<Response> {
    const started = Date.now()
    const { pathname } = new URL(request.url)
    try {
      proxy ??= createProxy(env)
      const ready = await proxy
      if (pathname === '/_edge/health') return await health(ready, context)
      if (pathname === '/_edge/metrics') return await metrics(ready, request, env)
      const { response, by, digest } = await answer(ready, request, env, context)
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

async function answer(
  { current, open, settings }: Proxy,
  request: Request,
  env: Env,
  context: Context,
): Promise<{ response: Response; by: 'static' | 'app'; digest: string }> {
  const { descriptor } = await current.get((work) => context.waitUntil(work))
  const { digest } = descriptor
  const { app, respond } = await open(descriptor)
  const fixed = respond(request)
  if (fixed !== undefined) return { response: fixed, by: 'static', digest }
  // Other values make another Worker: they are part of it.
  const id = `${digest} ${JSON.stringify(settings.variables)}`
  const worker = env.LOADER.get(id, () =>
    toWorkerCode(app, { variables: settings.variables, host: context.exports.AppHost({}) }),
  )
  return { response: await worker.getEntrypoint().fetch(request), by: 'app', digest }
}

/** 200 as long as something can answer; what it is, and how old the news of it. */
async function health({ current }: Proxy, context: Context): Promise<Response> {
  try {
    const { descriptor, checked } = await current.get((work) => context.waitUntil(work))
    const seconds = Math.round((Date.now() - checked) / 1000)
    return Response.json({ status: 'OK', digest: descriptor.digest, checkedSecondsAgo: seconds })
  } catch {
    return unavailable()
  }
}

async function metrics(
  { metrics, current }: Proxy,
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
