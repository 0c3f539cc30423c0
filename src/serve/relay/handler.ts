import { bodyOf } from '../../bytes/request-body.ts'
import { discard } from '../../http/response-body.ts'
import { createSecrets } from '../../http/secrets.ts'
import { IDLE_TIMEOUT, MIN_RATE, type PaceLimits } from '../../http/timed-reader.ts'
import type { AuthScope, FetchHandler, FetchLike, Keychain } from '../../types.ts'
import { createHostCheck, refusedHost } from '../http/host-names.ts'
import type { HostNameOptions } from '../http/host-names.ts'
import { announcedSize, tooLarge } from '../http/intake.ts'
import { answerRefusal, methodNotAllowed, Refusal } from '../http/refusal.ts'
import { answerUpstream } from './answer.ts'
import { passBody } from './body.ts'
import { guardHeaders, upstreamHeaders } from './headers.ts'
import { createRelayLogin, refusedLogin } from './login.ts'
import { createOriginPolicy } from './origin.ts'
import { withoutOwnSecrets } from './own-secrets.ts'
import { createRateLimit } from './rate.ts'
import { createRegistryList } from './registries.ts'
import type { RelayRegistry, ResolveHost } from './registries.ts'
import { methodsOf, parseRelayRoute } from './route.ts'
import type { RelayRoute } from './route.ts'
import { scopeOf, scopesOf } from './scopes.ts'
import { createSealer } from './seal.ts'
import { denied, expired, failed, tooLargeOrCut, unknownPath } from './refusals.ts'
import { relayToken } from './token.ts'
import { createUpstream } from './upstream.ts'

/** Largest body in bytes, in both directions: larger than any layer in use. Hosts of Workers have lower limits. */
export const MAX_RELAY_BODY_BYTES: number = 5 * 1024 ** 3
/** Requests of one user per minute: enough to push an application of 2000 files at once. */
export const MAX_RELAY_REQUESTS_PER_MINUTE = 6000
const TIMEOUT = 30_000

/** Limits of a relay. */
export interface RelayLimits {
  /** Largest body in bytes, in both directions. Default 5 GiB. */
  readonly bodyBytes?: number
  /** Requests of one user per minute, counted per instance; more are answered with 429. Default 6000. */
  readonly requestsPerMinute?: number
  /** Identifies the user of a request, such as by address or name. Default: all requests count as one user. */
  readonly keyOf?: (request: Request) => string
  /** Milliseconds until the registry begins its response, plus time for an upload's bytes. Default 30000. */
  readonly timeout?: number
  /** Milliseconds in which a body must deliver its share of `minRate`, in both directions. Default 60000. */
  readonly idle?: number
  /** Least bytes per second of a body, in both directions. Default 1024; with 0, one byte per `idle` is enough. */
  readonly minRate?: number
}

/**
 * Decides about a request by the scope that it needs. The repository is empty for the ping at `/v2/` and
 * for token requests.
 */
export type RelayRule = (scope: AuthScope, request: Request) => boolean | Promise<boolean>

/** Options of `createRelayHandler`. `allowedHosts` defaults to any name: `listen` restricts it on loopback. */
export interface RelayHandlerOptions extends HostNameOptions {
  /** Allowed registries: host names, with port if it is not 443. */
  registries: readonly string[]
  /** Origins of pages that can use the relay, including its own. Empty: no pages, only other clients. */
  origins: readonly string[]
  /** Path of the relay. Default `/relay`. */
  prefix?: string
  /** Public origin of the relay behind a proxy. Default: the origin of the request. */
  publicOrigin?: string
  /** Allows or rejects requests. Clients can send a secret as `Relay-Authorization`. Default: all are allowed. */
  authorize?: RelayRule
  /** Allows pushes. Default: none are allowed. */
  writable?: RelayRule
  /** Whether to allow deletions where `writable` allows pushes. Default false. */
  deletes?: boolean
  /** Credentials of the relay itself, for requests without `Authorization`. Needs `authorize`. */
  credentials?: Keychain
  /**
   * URLs of token services on other hosts than their registry, by registry. Those of Docker Hub and GitLab
   * are built in.
   */
  realms?: Readonly<Record<string, readonly string[]>>
  /**
   * Registries, also listed in `registries`, that use plain http and can be in a private network. For local
   * use and tests.
   */
  insecure?: readonly string[]
  /** Resolves host names, to reject those with private addresses. `spindle/node` has one. Default: none. */
  resolveHost?: ResolveHost
  /**
   * Key that signs the upload and token URLs that clients send back: 32 bytes or more, the same for all
   * instances. Default: random.
   */
  secret?: Uint8Array
  /** Sizes, rates and timeouts. */
  limits?: RelayLimits
  /** Sends the requests. Default: the global `fetch`. */
  fetch?: FetchLike
  /** Called with failures; clients see only the status. */
  onError?: (error: unknown, request: Request) => void
}

/**
 * Creates a relay as a `fetch` handler: gives pages access to registries that do not support CORS.
 *
 * Exported from `spindle/serve`. Denies by default: only listed registries and origins, no pushes, no
 * deletions. Connects to no private addresses, forwards no cookies, prevents browsers from rendering blobs,
 * and stores nothing.
 *
 * @example A relay in a Worker for one site, with pushes below `team/`
 * ```ts
 * export default createRelayHandler({
 *   registries: ['ghcr.io', 'docker.io'],
 *   origins: ['https://app.example'],
 *   writable: ({ repository }) => repository.startsWith('team/'),
 *   secret,
 * })
 * ```
 * @throws `TypeError` for an invalid option.
 * @see `createRelayFetch`, the client in the page
 */
export function createRelayHandler(options: RelayHandlerOptions): FetchHandler {
  const { prefix = '/relay', limits = {}, authorize, writable, deletes = false, onError } = options
  if (!/^(?:\/[A-Za-z0-9._~-]+)+$/.test(prefix))
    throw new TypeError(
      `"prefix" should be a path such as "/relay" and is ${JSON.stringify(prefix)}`,
    )
  if (options.credentials !== undefined && authorize === undefined)
    throw new TypeError(
      '"credentials" need "authorize": otherwise everyone who can reach the relay can use them',
    )
  const registries = createRegistryList(options)
  const origins = createOriginPolicy(options.origins)
  const isAnswered = createHostCheck(options.allowedHosts ?? ['*'])
  const sealer = createSealer(options.secret)
  const maxBytes = positive('bodyBytes', limits.bodyBytes, MAX_RELAY_BODY_BYTES)
  const idle = positive('idle', limits.idle, IDLE_TIMEOUT)
  const pace = relayPace(idle, limits.minRate)
  const count = createRateLimit(
    positive('requestsPerMinute', limits.requestsPerMinute, MAX_RELAY_REQUESTS_PER_MINUTE),
  )
  const send = createUpstream({
    fetch: options.fetch ?? ((request) => fetch(request)),
    timeout: positive('timeout', limits.timeout, TIMEOUT),
    resolveHost: options.resolveHost,
  })
  const secrets = createSecrets()
  const login =
    options.credentials === undefined
      ? undefined
      : createRelayLogin(send, options.credentials, secrets)

  const permit = async (
    registry: RelayRegistry,
    scopes: readonly AuthScope[],
    request: Request,
  ): Promise<void> => {
    for (const scope of scopes)
      if (authorize !== undefined && !(await authorize(scope, request)))
        throw denied(
          'this relay does not allow this request: check the value of Relay-Authorization',
        )
    const { repository, actions } = scopes[0]!
    if (actions.every((action) => action === 'pull')) return
    if (actions.includes('delete') && !deletes) throw denied('this relay does not allow deletions')
    const scope = { registry: registry.name, repository, actions }
    if (writable === undefined || !(await writable(scope, request)))
      throw denied(`this relay does not allow pushes to ${registry.name}/${repository}`)
  }

  const handle = async (request: Request): Promise<Response> => {
    const url = new URL(request.url)
    if (!isAnswered(url)) throw new Refusal(421, { code: 'DENIED', message: refusedHost(url) })
    origins.admit(request, url)
    count(limits.keyOf?.(request) ?? '')
    const { registry, host, route } = find(url.pathname, prefix, registries)
    const { method } = request
    if (!methodsOf(route).includes(method)) throw methodNotAllowed(methodsOf(route).join(', '))
    const path = `${prefix}/${host}`
    if (route.kind === 'token') {
      await permit(registry, [scopeOf(registry, '', [])], request)
      const sealed = await sealer.open(route.seal, { kind: 'token', registry: registry.name })
      if (sealed === undefined) throw unknownPath()
      return relayToken(send, registry, new URL(sealed.url), request)
    }
    const { target, repository } = await locate(url, host, route, registry)
    const scopes = scopesOf(registry, repository, route, method, url)
    await permit(registry, scopes, request)

    const length = method === 'GET' || method === 'HEAD' ? 0 : announcedSize(request)
    if ((length ?? 0) > maxBytes) throw tooLarge()
    let broken: { error: unknown } | undefined
    const incoming = length === 0 ? null : bodyOf(request)
    const body =
      incoming === null
        ? undefined
        : passBody(incoming, {
            maxBytes,
            pace,
            length,
            onFailure: (error) => (broken = { error }),
          })
    const headers = upstreamHeaders(request)
    // Do not send the registry's token to another host, such as the location of an upload.
    const isElsewhere = target.origin !== registry.base.origin
    if (isElsewhere) headers.delete('authorization')
    const own =
      login === undefined || isElsewhere || headers.has('authorization')
        ? undefined
        : await login.begin(registry, scopes, request.signal)
    // A mount without `from` would use the relay's own permissions for all repositories.
    if (own !== undefined && !url.searchParams.has('from')) target.searchParams.delete('mount')
    if (own?.authorization !== undefined) headers.set('authorization', own.authorization)
    const publicOrigin = options.publicOrigin ?? url.origin
    const sendOnce = () => {
      if (own !== undefined) secrets.addRequest(headers)
      return send({
        registry,
        self: `${publicOrigin}${prefix}/`,
        method,
        url: target,
        headers,
        signal: request.signal,
        // GHCR redirects referrers requests to an HTML page.
        sameOrigin: route.kind === 'referrers',
        ...(body !== undefined && { body }),
        ...(body !== undefined && length !== undefined && { length }),
      })
    }
    let sent: Awaited<ReturnType<typeof sendOnce>>
    try {
      sent = await sendOnce()
      if (own !== undefined && sent.response.status === 401) {
        discard(sent.response)
        const renewed = await login?.again(
          registry,
          scopes,
          sent.response,
          own.authorization,
          request.signal,
        )
        if (renewed === undefined) throw refusedLogin(registry.name)
        if (body !== undefined) throw expired()
        headers.set('authorization', renewed)
        sent = await sendOnce()
        if (sent.response.status === 401) throw refusedLogin(registry.name)
      }
    } catch (error) {
      if (broken !== undefined) throw tooLargeOrCut(broken.error)
      throw error
    }
    const namespace = url.searchParams.get('ns')
    const response =
      own === undefined
        ? sent.response
        : await withoutOwnSecrets(sent.response, secrets, request.signal, idle)
    return answerUpstream(response, method, {
      registry,
      path,
      publicUrl: `${publicOrigin}${path}`,
      route,
      repository,
      sealer,
      from: sent.url,
      maxBytes,
      pace,
      ...(namespace !== null && { namespace: host }),
    })
  }

  /** The target of a request: a path of the registry, or a sealed URL. */
  async function locate(
    url: URL,
    host: string,
    route: Exclude<RelayRoute, { kind: 'token' }>,
    registry: RelayRegistry,
  ): Promise<{ target: URL; repository: string }> {
    const namespace = url.searchParams.get('ns')
    if (namespace !== null && registries.get(namespace) !== registry)
      throw new Refusal(400, {
        code: 'UNSUPPORTED',
        message: `"ns" should be the registry in the path, ${registry.name}`,
      })
    if (route.kind !== 'sealed') {
      const target = new URL(url.pathname.slice(prefix.length + 1 + host.length), registry.base)
      target.search = url.search
      if (namespace !== null) target.searchParams.delete('ns')
      return { target, repository: 'repository' in route ? route.repository : '' }
    }
    const sealed = await sealer.open(route.seal, { kind: 'sealed', registry: registry.name })
    if (sealed === undefined)
      throw new Refusal(404, {
        code: 'BLOB_UPLOAD_UNKNOWN',
        message: 'the upload does not exist or has expired: start another one with POST',
      })
    const target = new URL(sealed.url)
    const digest = url.searchParams.get('digest')
    if (digest !== null) target.searchParams.set('digest', digest)
    return { target, repository: sealed.repository }
  }

  return {
    async fetch(request) {
      let response = origins.preflight(request)
      if (response === undefined) {
        try {
          response = await handle(request)
        } catch (error) {
          if (!(error instanceof Refusal) || error.status >= 500)
            onError?.(error instanceof Refusal ? (error.cause ?? error) : error, request)
          response = answerRefusal(error instanceof Refusal ? error : failed())
        }
        origins.expose(response.headers, request)
      }
      guardHeaders(response.headers)
      return response
    },
  }
}

/** Finds registry and route of a raw path. @throws 403 for another registry, 404 for another path. */
function find(
  pathname: string,
  prefix: string,
  registries: ReadonlyMap<string, RelayRegistry>,
): { registry: RelayRegistry; host: string; route: RelayRoute } {
  if (!pathname.startsWith(`${prefix}/`)) throw unknownPath()
  const rest = pathname.slice(prefix.length + 1)
  const slash = rest.indexOf('/')
  const host = slash < 0 ? rest : rest.slice(0, slash)
  const registry = registries.get(host)
  if (registry === undefined)
    throw denied('this relay does not allow that registry: its operator can add it to "registries"')
  const route = parseRelayRoute(rest.slice(host.length))
  if (route === undefined) throw unknownPath()
  return { registry, host, route }
}

/** Least speed of bodies. @throws `TypeError` */
function relayPace(idleTimeout: number, minRate: number = MIN_RATE): PaceLimits {
  if (!(minRate >= 0 && minRate < Infinity))
    throw new TypeError(`"limits.minRate" should be bytes per second, 0 or more, and is ${minRate}`)
  const names = { idleTimeout: 'limits.idle', minRate: 'limits.minRate' }
  return { idleTimeout, minRate, names }
}

function positive(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (!(value > 0)) throw new TypeError(`"limits.${name}" should be above 0 and is ${value}`)
  return value
}
