import type { App } from '../spin/source/app.ts'
import type { PulledApp } from '../spin/artifact/pulled-app.ts'
import { builtInResponse } from './http/built-in.ts'
import { runAppOf } from './app/run-app.ts'
import { routerOf, targetOf } from './handler/target.ts'

/**
 * Answers what an application declares without WebAssembly: static responses, redirects among them,
 * paths that have no route, and what Spin answers itself. Nothing of it is loaded for that.
 *
 * Exported from `spindle/run`.
 *
 * @example Wake the application only when it must be
 * ```ts
 * const respond = createStaticResponder(app)
 * const response = respond(request) ?? (await handler.fetch(request))
 * ```
 * @returns For a request that a component must answer, `undefined`.
 * @throws `ERR_APP_INVALID`, `ERR_UNSUPPORTED`, as `createAppHandler`.
 * @see https://spinframework.dev/http-trigger
 */
export function createStaticResponder(
  app: App | PulledApp,
): (request: Request) => Response | undefined {
  const run = runAppOf(app)
  const router = routerOf(run, (trigger) => targetOf(trigger, run))
  return ({ url }) => {
    const { pathname } = new URL(url)
    const builtIn = builtInResponse(pathname, run)
    if (builtIn !== undefined) return builtIn
    const target = router.match(pathname)?.route.target
    if (target === undefined) return new Response(null, { status: 404 })
    return target.kind === 'static' ? target.response() : undefined
  }
}
