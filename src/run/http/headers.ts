import { SpindleError } from '../../errors.ts'
import { fieldProblem, latin1 } from '../wasi/fields.ts'
import type { RouteMatch } from './router.ts'

interface RequestFacts {
  readonly match: RouteMatch<unknown>
  readonly base: string
  /** `ip:port` */
  readonly clientAddress: string
}

/** The request's host as the client named it. */
export function hostOf(request: Request): string {
  return request.headers.get('host') ?? (new URL(request.url).host || 'localhost')
}

export function fullUrl(request: Request): string {
  const url = new URL(request.url)
  return `${url.protocol}//${hostOf(request)}${url.pathname}${url.search}`
}

/**
 * What Spin tells a component about its request.
 *
 * They follow what the client sent, of the same names too: a component reads the last.
 */
function spinHeaders(
  request: Request,
  { match, base, clientAddress }: RequestFacts,
): ReadonlyArray<readonly [string, string]> {
  const { route, params, pathInfo } = match
  return [
    ['spin-path-info', pathInfo],
    ['spin-full-url', fullUrl(request)],
    ['spin-matched-route', route.effective],
    ['spin-base-path', base],
    ['spin-raw-component-route', route.raw],
    ['spin-component-route', withoutWildcard(route.raw)],
    ['spin-client-addr', clientAddress],
    ...Array.from(
      params,
      ([name, value]) => [`spin-path-match-${name.toLowerCase()}`, value] as const,
    ),
  ]
}

function withoutWildcard(route: string): string {
  return route.endsWith('/...') ? route.slice(0, -4) : route
}

/** All headers that a component gets: the client's but those of the connection, the host, Spin's. */
export function componentHeaders(
  request: Request,
  facts: RequestFacts,
): ReadonlyArray<readonly [string, string]> {
  const given = [...request.headers].filter(([name]) => name !== 'connection' && name !== 'host')
  // A page's request hides its host; a component may count on it.
  return [['host', hostOf(request)], ...given, ...spinHeaders(request, facts)]
}

const LONGEST_QUOTED = 100

/** Adds a header that a component gave as text; those of the connection are the host's and left out. */
export function appendHeader(headers: Headers, name: string, value: string): void {
  const problem = fieldProblem(name, latin1(value))
  if (problem === 'invalid-syntax') {
    throw new SpindleError(
      'ERR_TRAP',
      // Whatever it is, the log is to stay readable.
      `the component answered with an invalid header ${JSON.stringify(name.slice(0, LONGEST_QUOTED))}`,
    )
  }
  if (problem === undefined) headers.append(name, value)
}
