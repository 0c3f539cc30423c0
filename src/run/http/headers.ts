import { SpindleError } from '../../errors.ts'
import { exactHeaders, type HeaderPairs } from '../../http/wire.ts'
import { binary, fieldProblem, isForbiddenField, latin1 } from '../host/wasi/fields.ts'
import type { RouteMatch } from './router.ts'
import { requestTarget } from './target.ts'

interface RequestFacts {
  readonly match: RouteMatch<unknown>
  readonly base: string
  /** `ip:port` */
  readonly clientAddress: string
  /** As the component sees it: see `clientHost`. */
  readonly host: string
}

/** What a component sees in place of a host that no client may name. */
const DEFAULT_HOST = 'localhost'

// A name or an address, and a port. Anything else could change the meaning of a URL built from it.
const HOST = /^(?:\[[\da-f:.]+\]|[\w-]+(?:\.[\w-]+)*\.?)(?::\d{1,5})?$/i

// Names by which components address each other and their own application.
const INTERNAL_HOST = /^(?:(?:.*\.)?spin\.internal|self\.alt)\.?(?::\d*)?$/i

/**
 * The host that a client named. A host of service chaining is replaced, so that no client passes for
 * another component.
 *
 * @see Spin, `strip_forbidden_headers` in `crates/trigger-http/src/headers.rs`
 */
export function clientHost(request: Request): string {
  const named = request.headers.get('host')
  const host = named !== null && HOST.test(named) ? named : new URL(request.url).host
  return host === '' || INTERNAL_HOST.test(host) ? DEFAULT_HOST : host
}

export function fullUrl(request: Request, host: string): string {
  return `${new URL(request.url).protocol}//${host}${requestTarget(request).whole}`
}

const PATH_MATCH = 'spin-path-match-'

/** Headers that only the host sets. */
const HOST_ONLY: ReadonlySet<string> = new Set([
  'spin-path-info',
  'spin-full-url',
  'spin-matched-route',
  'spin-base-path',
  'spin-raw-component-route',
  'spin-component-route',
  'spin-client-addr',
])

/** The `spin-*` headers of a request. */
function spinHeaders(
  request: Request,
  { match, base, clientAddress, host }: RequestFacts,
): ReadonlyArray<readonly [string, string]> {
  const { route, params, pathInfo } = match
  return [
    ['spin-path-info', pathInfo],
    ['spin-full-url', fullUrl(request, host)],
    ['spin-matched-route', route.effective],
    ['spin-base-path', base],
    ['spin-raw-component-route', route.raw],
    ['spin-component-route', withoutWildcard(route.raw)],
    ['spin-client-addr', clientAddress],
    ...Array.from(params, ([name, value]) => [PATH_MATCH + name.toLowerCase(), value] as const),
  ]
}

function withoutWildcard(route: string): string {
  return route.endsWith('/...') ? route.slice(0, -4) : route
}

/** Whether a sender may set a header. `_` counts as `-`: some programs can't tell them apart. */
function isSendersOwn(name: string): boolean {
  const plain = name.toLowerCase().replaceAll('_', '-')
  return !isForbiddenField(plain) && !HOST_ONLY.has(plain) && !plain.startsWith(PATH_MATCH)
}

/**
 * All headers that a component gets: the host, the sender's, then Spin's. Left out of the sender's
 * are those of the connection and those that only the host sets.
 */
export function componentHeaders(
  request: Request,
  facts: RequestFacts,
): ReadonlyArray<readonly [string, string]> {
  const given = exactHeaders(request).filter(([name]) => isSendersOwn(name))
  // A page's request hides its host; a component may count on it.
  return [['host', facts.host], ...given, ...spinHeaders(request, facts)]
}

const MAX_QUOTED = 100

/** A header that a component gave as text, as its bytes. Those of the connection are the host's: `undefined`. */
export function givenHeader(name: string, value: string): HeaderPairs[number] | undefined {
  const bytes = latin1(value)
  const problem = fieldProblem(name, bytes)
  if (problem === 'invalid-syntax') {
    throw new SpindleError(
      'ERR_TRAP',
      // The name can contain anything; keep the log readable.
      `the component answered with an invalid header ${JSON.stringify(name.slice(0, MAX_QUOTED))}`,
    )
  }
  return problem === undefined ? [name, binary(bytes)] : undefined
}
