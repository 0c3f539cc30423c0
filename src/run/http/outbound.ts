import { AppInvalid, PolicyRejected } from '../../errors.ts'
import {
  allowsSelf,
  allowsUrl,
  expandServiceChaining,
  isUnsetHost,
  readAllowedHost,
  type AllowedHost,
} from '../../spin/manifest/outbound-hosts.ts'
import type { FetchLike } from '../../types.ts'
import type { RunApp, RunComponent } from '../app/run-app.ts'
import type { Variables } from '../host/spin/variables.ts'
import { SELF_ORIGIN } from '../host/wasi/http-outgoing.ts'

const CHAINING_SUFFIX = '.spin.internal'

/** Destinations of a component's requests. */
interface OutboundRoutes {
  /** To the network. */
  readonly fetch: FetchLike
  /** To the application itself, by its routes. */
  readonly self: FetchLike
  /** To one of its components, by id. */
  readonly component: (id: string, request: Request) => Promise<Response>
}

/** The hosts that a component's manifest allows, with variables resolved. Throws `ERR_APP_INVALID`. */
export function allowedHosts(
  app: RunApp,
  component: RunComponent,
  variables: Variables,
): readonly AllowedHost[] {
  const hosts = component.allowedHosts.flatMap((text): readonly AllowedHost[] => {
    const resolved = variables.resolve(text)
    if (isUnsetHost(resolved)) return []
    const host = readAllowedHost(resolved)
    if (!('problem' in host)) return [host]
    // The value of a variable can be a secret: the message then contains the template only.
    const why = resolved === text ? host.problem : `"${text}" with its variables put in is no host`
    throw new AppInvalid([
      {
        code: 'invalid-host',
        message: `\`allowed_outbound_hosts\` of component "${component.id}" is malformed: ${why}`,
      },
    ])
  })
  return expandServiceChaining(hosts, [...app.components.keys()])
}

/**
 * Sends requests to allowed hosts and rejects others with `ERR_POLICY_REJECTED`.
 *
 * Redirects are returned to the component, so that each target is checked as a new request.
 */
export function createOutbound(
  allowed: readonly AllowedHost[],
  component: RunComponent,
  routes: OutboundRoutes,
): FetchLike {
  const deny = (what: string): never => {
    throw new PolicyRejected(
      'HOST_NOT_ALLOWED',
      `component "${component.id}" may not reach ${what}: list it in its allowed_outbound_hosts`,
      [],
    )
  }
  return async (request) => {
    const url = new URL(request.url)
    if (url.origin === SELF_ORIGIN || url.hostname === 'self.alt') {
      return allowsSelf(allowed) ? routes.self(request) : deny('its own application')
    }
    if (!allowsUrl(allowed, request.url)) deny(url.origin)
    const id = url.hostname.endsWith(CHAINING_SUFFIX)
      ? url.hostname.slice(0, -CHAINING_SUFFIX.length)
      : undefined
    return id === undefined ? routes.fetch(request) : routes.component(id, request)
  }
}
