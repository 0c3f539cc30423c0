import type { AllowedHost } from '../../spin/manifest/outbound-hosts.ts'
import type { FetchLike } from '../../types.ts'
import type { RunComponent } from '../app/run-app.ts'
import { describeFailure } from '../host/wasi/http-errors.ts'
import { createOutbound } from '../http/outbound.ts'
import type { Chaining } from './chaining.ts'
import type { RequestScope } from './request-scope.ts'

// Failed requests of one guest that are logged: a guest can retry without end.
const MAX_FAILURES = 10

/** Where requests of components go. */
export interface Routes {
  /** To the network. */
  readonly network: FetchLike
  /** To the application itself, by its routes. */
  readonly self: (request: Request) => Promise<Response>
  /** To one of its components, by id. */
  readonly component: (id: string, request: Request) => Promise<Response>
}

interface GuestFetchOptions {
  /** The component that runs, for the log. */
  readonly id: string
  readonly scope: RequestScope
  readonly routes: Routes
  readonly chaining: Chaining
  /** What the component's manifest allows. */
  readonly allowed: readonly AllowedHost[]
}

/**
 * Sends the requests of one guest: `fetchFor` takes the component itself, or what a dependency of it
 * shares. Failures of the network are logged with their causes; the guest only sees their kind.
 */
export function createGuestFetch({
  id,
  scope,
  routes,
  chaining,
  allowed,
}: GuestFetchOptions): (component: RunComponent) => FetchLike {
  let failures = 0
  const reported: FetchLike = async (request) => {
    try {
      return await routes.network(request)
    } catch (error) {
      // A request that its guest cancelled has not failed.
      const { aborted, reason } = request.signal
      if (!(aborted && error === reason && !isTimeout(reason)) && failures++ < MAX_FAILURES)
        scope.lines.host(
          id,
          `${request.method} ${new URL(request.url).origin} failed: ${describeFailure(error)}`,
        )
      throw error
    }
  }
  const fetchFor = (component: RunComponent): FetchLike =>
    createOutbound(component.allowedHosts.length === 0 ? [] : allowed, component, {
      fetch: reported,
      self: (request) => chaining.send(scope.sender, request, routes.self),
      component: (wanted, request) =>
        chaining.send(scope.sender, request, (sent) => routes.component(wanted, sent)),
    })
  return fetchFor
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError'
}
