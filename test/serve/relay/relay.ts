import { createRegistryHandler } from '../../../src/serve/registry/handler.ts'
import { createRelayHandler } from '../../../src/serve/relay/handler.ts'
import type { RelayHandlerOptions } from '../../../src/serve/relay/handler.ts'
import type { FetchHandler, FetchLike } from '../../../src/types.ts'

export const RELAY = 'https://relay.example'
export const PAGE = 'https://app.example'
export const REGISTRY = 'registry.example'
export const SECRET: Uint8Array = new Uint8Array(32).fill(7)
export const DIGEST = `sha256:${'a'.repeat(64)}`

export interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Headers
}

/** A relay in front of a registry that is called through `upstream`, and all requests of the relay. */
export function relayBefore(
  upstream: FetchLike | FetchHandler = createRegistryHandler(),
  options: Partial<RelayHandlerOptions> = {},
): {
  relay: FetchHandler
  sent: Sent[]
  ask: (path: string, init?: RequestInit) => Promise<Response>
} {
  const sent: Sent[] = []
  const answer = typeof upstream === 'function' ? upstream : upstream.fetch
  const relay = createRelayHandler({
    registries: [REGISTRY],
    origins: [PAGE],
    secret: SECRET,
    fetch: (request) => {
      sent.push({ method: request.method, url: request.url, headers: request.headers })
      return answer(request)
    },
    ...options,
  })
  return {
    relay,
    sent,
    ask: (path, init) => relay.fetch(new Request(`${RELAY}/relay${path}`, init)),
  }
}

/** An upstream with one response to everything. */
export function always(
  status: number,
  headers: Record<string, string> = {},
  body: string | null = null,
): FetchLike {
  return async () => new Response(body, { status, headers })
}
