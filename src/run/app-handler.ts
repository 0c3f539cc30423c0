import type { AppHandlerOptions } from './handler/app-handler-options.ts'
import type { App } from '../spin/source/app.ts'
import type { PulledApp } from '../spin/artifact/pulled-app.ts'
import type { Policy } from '../trust/policy/policy.ts'
import { openVerifier } from '../trust/verifier.ts'
import { assertVerifyOption } from '../store/verify-option.ts'
import type { FetchHandler, Verifier } from '../types.ts'
import { openRunApp } from './app/open-run-app.ts'
import { isPulledApp } from './app/run-app.ts'
import { createRunHandler } from './handler/run-handler.ts'

/**
 * Makes an application answer requests: `fetch(Request)` to `Response`, as Spin's HTTP trigger does.
 *
 * Exported from `spindle/run`.
 *
 * @example Run what was pulled
 * const app = await pull('registry.example/me/hello:1.0.0')
 * const handler = await createAppHandler(app)
 * const response = await handler.fetch(new Request('http://localhost/hello/world'))
 *
 * Rejects with `ERR_APP_INVALID` (routes, variables), `ERR_CONTENT_INVALID` (components that are
 * malformed), `ERR_UNSUPPORTED` (components that can't run here), `ERR_POLICY_REJECTED` (when `verify`
 * refuses it). Once it is made, `fetch` answers: what goes wrong in a component is a 500 without a
 * body, and a log line that says why.
 *
 * @see https://spinframework.dev/http-trigger
 */
export async function createAppHandler(
  app: App | PulledApp,
  options: AppHandlerOptions = {},
): Promise<FetchHandler> {
  assertVerifyOption(options)
  const { verify, ...rest } = options
  if (verify !== undefined) await assertVerified(app, verify)
  return createRunHandler(await openRunApp(app), rest)
}

/** Contents are read by digest from the one that is verified, so nothing else can run. */
async function assertVerified(app: App | PulledApp, verify: Verifier | Policy): Promise<void> {
  if (!isPulledApp(app))
    throw new TypeError('`verify` is for applications from a registry: others have no digest')
  const verifier = await openVerifier(verify, () => import('../trust/policy-verifier.ts'))
  await verifier({ store: app.store, descriptor: app.descriptor })
}
