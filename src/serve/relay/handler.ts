import { bodyOf } from '../../bytes/request-body.ts'
import { discard } from '../../http/response-body.ts'
import { createSecrets } from '../../http/secrets.ts'
import { IDLE_TIMEOUT, MIN_RATE, type PaceLimits } from '../../http/timed-reader.ts'
import type { AuthScope, FetchHandler, FetchLike, Keychain } from '../../types.ts'
import { createHostCheck, refusedHost } from '../http/host-names.ts'
import type { HostNameOptions } from '../http/host-names.ts'
import { announcedSize, tooLarge } from '../http/intake.ts'
import { answerRefusal, Refusal } from '../http/refusal.ts'
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
import { denied, expired, failed, tooLargeOrCut, unknownPath, wrongMethod } from './refusals.ts'
import { relayToken } from './token.ts'
import { createUpstream } from './upstream.ts'

/** Bytes of one body, either way: more than any layer in use; hosts of Workers allow less by themselves. */
export const MAX_RELAY_BODY_BYTES: number = 5 * 1024 ** 3
/** Requests of one user in a minute: an app of 2000 files pushed at once stays below it. */
export const MAX_RELAY_REQUESTS_PER_MINUTE = 6000
const TIMEOUT = 30_000

export interface RelayLimits {
  /** Most bytes of one body, up or down. Default 5 GiB. */
  readonly bodyBytes?: number
  /** Requests of one user in a minute, counted by each instance for itself. Default 6000. */
  readonly requestsPerMinute?: number
  /** Who a request counts for, as an address or a name. Default: all are one user. */
  readonly keyOf?: (request: Request) => string
  /** Milliseconds that a registry has to begin its answer. Default 30000, plus time for an upload's bytes. */
  readonly timeout?: number
  /** Milliseconds of waiting in which a body must bring its share of `minRate`, up or down. Default 60000. */
  readonly idle?: number
  /** Bytes per second that a body must bring, up or down. Default 1024; 0: any byte in `idle` is enough. */
  readonly minRate?: number
}

/** Asked with what a request wants; the repository is empty for the ping at `/v2/` and for tokens. */
export type RelayRule = (scope: AuthScope, request: Request) => boolean | Promise<boolean>

/** `allowedHosts` defaults to any name: `listen` restricts it on loopback. */
export interface RelayHandlerOptions extends HostNameOptions {
  /** Hosts, with their port, that the relay goes to. Nothing else is reached. */
  registries: readonly string[]
  /** Origins of pages that may use it, its own too. Empty: no page, only programs. */
  origins: readonly string[]
  /** Path that the relay is at. Default `/relay`. */
  prefix?: string
  /** Its own origin as clients see it, where a proxy before it hides that. Default: that of the request. */
  publicOrigin?: string
  /** Who may do anything at all; a user's own secret comes as `Relay-Authorization`. Default: everybody. */
  authorize?: RelayRule
  /** What may be pushed. Default: nothing. */
  writable?: RelayRule
  /** Whether what is `writable` may be deleted as well. Default false. */
  deletes?: boolean
  /** Credentials of the relay's own, for requests without `Authorization`. Needs `authorize`. */
  credentials?: Keychain
  /** Token services that are on another host than their registry, by registry. Docker Hub's and GitLab's are known. */
  realms?: Readonly<Record<string, readonly string[]>>
  /** Which of `registries` are spoken to over plain http and may be in a private network: for this machine and tests. */
  insecure?: readonly string[]
  /** Finds the addresses of a host, so that names of private ones are refused. `spindle/node` has one. */
  resolveHost?: ResolveHost
  /** 32 bytes or more, the same for all instances: signs addresses that clients hand back. Default: random. */
  secret?: Uint8Array
  limits?: RelayLimits
  /** Default: the global `fetch`. */
  fetch?: FetchLike
  /** Told of failures; clients see none of their reasons. */
  onError?: (error: unknown, request: Request) => void
}

/**
 * A way for pages to registries that don't answer them, as a `fetch` handler.
 *
 * Exported from `spindle/serve`. Closed unless told: to all registries, pages, pushes and deletions.
 * It goes to no private address, hands no cookie on, shows no blob as a page, and keeps nothing.
 *
 * @example A relay in a Worker for one site, which may push below `team/`
 * ```ts
 * export default createRelayHandler({
 *   registries: ['ghcr.io', 'docker.io'],
 *   origins: ['https://app.example'],
 *   writable: ({ repository }) => repository.startsWith('team/'),
 *   secret,
 * })
 * ```
 * @throws TypeError for options that can't be.
 * @see `createRelayFetch` of the main entry point, the page's side
 */
export function createRelayHandler(options: RelayHandlerOptions): FetchHandler {
  const { prefix = '/relay', limits = {}, authorize, writable, deletes = false, onError } = options
  if (!/^(?:\/[A-Za-z0-9._~-]+)+$/.test(prefix))
    throw new TypeError(`"prefix" must be a path as /relay, not ${JSON.stringify(prefix)}`)
  if (options.credentials !== undefined && authorize === undefined)
    throw new TypeError(
      '"credentials" of the relay need "authorize": else everybody who finds the relay has them',
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
        throw denied('this relay does not know you, or does not allow you that')
    const { repository, actions } = scopes[0]!
    if (actions.every((action) => action === 'pull')) return
    if (actions.includes('delete') && !deletes) throw denied('this relay deletes nothing')
    const scope = { registry: registry.name, repository, actions }
    if (writable === undefined || !(await writable(scope, request)))
      throw denied(`this relay does not let you push to ${registry.name}/${repository}`)
  }

  const handle = async (request: Request): Promise<Response> => {
    const url = new URL(request.url)
    if (!isAnswered(url)) throw new Refusal(421, { code: 'DENIED', message: refusedHost(url) })
    origins.admit(request, url)
    count(limits.keyOf?.(request) ?? '')
    const { registry, host, route } = find(url.pathname, prefix, registries)
    const { method } = request
    if (!methodsOf(route).includes(method)) throw wrongMethod(methodsOf(route))
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
    // A registry's token is for the registry, wherever it sends an upload.
    const isElsewhere = target.origin !== registry.base.origin
    if (isElsewhere) headers.delete('authorization')
    const own =
      login === undefined || isElsewhere || headers.has('authorization')
        ? undefined
        : await login.begin(registry, scopes, request.signal)
    // Whoever has not said from where must not have the relay's rights to look everywhere.
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
        // What is not a list of referrers but a page somewhere (GHCR) is no answer.
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
        const better = await login?.again(
          registry,
          scopes,
          sent.response,
          own.authorization,
          request.signal,
        )
        if (better === undefined) throw refusedLogin(registry.name)
        if (body !== undefined) throw expired()
        headers.set('authorization', better)
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

  /** Where a request goes: a path of the registry's, or what a seal says. */
  async function locate(
    url: URL,
    host: string,
    route: Exclude<RelayRoute, { kind: 'token' }>,
    registry: RelayRegistry,
  ): Promise<{ target: URL; repository: string }> {
    const namespace = url.searchParams.get('ns')
    if (namespace !== null && registries.get(namespace) !== registry)
      throw new Refusal(400, { code: 'UNSUPPORTED', message: `"ns" is not ${registry.name}` })
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
        message: 'no such upload, or it is too old: begin another with POST',
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

/** Splits a path as it was sent. @throws 403 or 404 */
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
  if (registry === undefined) throw denied('this relay does not go to that registry')
  const route = parseRelayRoute(rest.slice(host.length))
  if (route === undefined) throw unknownPath()
  return { registry, host, route }
}

/** How slowly a body may come, either way. @throws TypeError */
function relayPace(idleTimeout: number, minRate: number = MIN_RATE): PaceLimits {
  if (!(minRate >= 0 && minRate < Infinity))
    throw new TypeError(`"limits.minRate" must be bytes per second, not ${minRate}`)
  const names = { idleTimeout: 'limits.idle', minRate: 'limits.minRate' }
  return { idleTimeout, minRate, names }
}

function positive(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (!(value > 0)) throw new TypeError(`"limits.${name}" must be above 0, not ${value}`)
  return value
}
