import { http } from 'msw'
import type { HttpHandler } from 'msw'
import { createRegistryHandler } from '../src/serve/registry/handler.ts'
import type { FetchHandler } from '../src/types.ts'

export interface RegistryHandlersOptions {
  /** What answers: the embedded registry, a persona, any `fetch` handler. Default: an empty registry. */
  readonly registry?: FetchHandler
}

/**
 * msw handlers that answer for an origin with a real registry, so that tests need no network and
 * nothing is canned.
 *
 * Exported from `spindle/mocks`.
 *
 * @example In a test of Node
 * ```ts
 * const server = setupServer(...registryHandlers('https://registry.test'))
 * server.listen({ onUnhandledRequest: 'error' })
 * await push(app, 'registry.test/team/hello:1')
 * ```
 * @param origin As `https://registry.test`; a path would never match.
 * @throws TypeError when it isn't an origin.
 */
export function registryHandlers(
  origin: string,
  options: RegistryHandlersOptions = {},
): HttpHandler[] {
  if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
    throw new TypeError(`${JSON.stringify(origin)} is no origin: write it as https://registry.test`)
  }
  const registry = options.registry ?? createRegistryHandler()
  return [http.all(`${origin}/*`, ({ request }) => registry.fetch(request))]
}
