import { ResponseError, SpindleError } from '../errors.ts'
import type {
  AuthScope,
  FetchLike,
  Transport,
  TransportOptions,
  TransportRequest,
} from '../types.ts'
import { createAuth } from './auth.ts'
import { isReplayable, type OpenBody, openBody } from './body.ts'
import { unknownCoding, withoutCoding } from './content-coding.ts'
import { discard } from './response-body.ts'
import { MAX_TIMER, MIN_TRANSFER_RATE } from './timing.ts'
import { createLimiter, type Limiter } from './limiter.ts'
import { detectProtocol } from './loopback.ts'
import { networkError } from './network-error.ts'
import { detectPlatform, type Platform } from './platform.ts'
import { isLoopback } from './realm.ts'
import { followRedirects, type Hop } from './redirect.ts'
import { redactUrl } from './redact.ts'
import { responseError } from './response-error.ts'
import { type Again, createRetry, isTransient } from './retry.ts'
import { createSecrets } from './secrets.ts'
import { isOwnSender, senderOf } from './sender.ts'
import { createWarner } from './warning.ts'

const DEFAULT_TIMEOUT = 30_000
/**
 * Most challenges answered for one request: no scheme, then too small a scope, then an expired
 * token.
 */
const MAX_CHALLENGES = 3
/**
 * Largest body in bytes that is buffered to follow a redirect with it; larger ones do not follow
 * any.
 */
const REPLAYED_BYTES = 8 * 1024 * 1024

/** One for all transports, so that detected protocols are shared in the process. */
const globalFetch: FetchLike = (request) => fetch(request)

/**
 * Creates a transport, which sends the requests to registries and Bindle servers with retries,
 * redirects, authentication and a rate limit per host.
 *
 * Exported from the main entry point and `spindle/repository`. Calls that share one share its
 * tokens.
 *
 * @example Share tokens between two calls
 * ```ts
 * const transport = createTransport({ credentials })
 * await push(app, 'ghcr.io/team/hello:1', { transport })
 * await sign('ghcr.io/team/hello:1', signer, { transport })
 * ```
 * @see {@link https://distribution.github.io/distribution/spec/auth/token/ Token authentication}
 */
export function createTransport(options: TransportOptions = {}): Transport {
  return createTransportOn(detectPlatform(), options)
}

/** Creates a transport for a platform. Exported for tests. */
export function createTransportOn(platform: Platform, options: TransportOptions): Transport {
  const { timeout = DEFAULT_TIMEOUT, insecure = [], onWarning } = options
  if (timeout !== false && !(timeout > 0 && timeout < Infinity))
    throw new TypeError(`"timeout" must be milliseconds or false, not ${timeout}`)
  const insecureHosts = new Set(insecure.map((host) => new URL(`http://${host}`).host))
  const fetchOnce = options.fetch ?? globalFetch
  const sendOnce = senderOf(fetchOnce)
  const isOwn = isOwnSender(sendOnce)
  const retry = createRetry(options.retry)
  /** Failures after the last retry: callers do not retry them again. */
  const exhausted = new WeakSet<object>()
  const secrets = createSecrets()
  const onProxyAuthorization = (value: string): void =>
    secrets.addRequest(new Headers({ authorization: value }))
  const again: Again = async (error, count, how) => {
    // Failures of a body are not redacted yet: they occur after the headers.
    secrets.redactError(error)
    return !exhausted.has(error as object) && (await retry(error, count, how))
  }
  const warn = createWarner(onWarning, secrets.redact)
  const limiters = new Map<string, Limiter>()
  const auth = createAuth((request, onRedirect) => send(request, onRedirect), options.credentials)

  const mayBePlain = (url: URL): boolean => isLoopback(url.hostname) || insecureHosts.has(url.host)

  function limiterOf(host: string): Limiter {
    const limiter = limiters.get(host) ?? createLimiter()
    limiters.set(host, limiter)
    return limiter
  }

  /** Sends one request; resolves with the headers of the response. */
  async function exchange(
    { method, url, headers }: Hop,
    request: TransportRequest,
    checksRedirects: boolean,
  ): Promise<Response> {
    const { signal, body } = request
    if (url.protocol === 'http:' && !mayBePlain(url))
      throw new SpindleError('ERR_UNSUPPORTED', `${redactUrl(url)} uses plain http`, {
        remedy: {
          option: 'insecure',
          advice: `allow it for ${url.host} by % if its network is trusted`,
        },
      })
    await limiterOf(url.host).turn(signal)
    const length = Number(headers.get('content-length') ?? NaN)
    const opened =
      body === undefined
        ? undefined
        : await openBody(body, platform, {
            size: Number.isNaN(length) ? undefined : length,
            onUpload: request.onUpload,
            signal,
          })
    if (opened?.size !== undefined) headers.set('content-length', String(opened.size))
    secrets.addRequest(
      headers,
      body instanceof Uint8Array ? body : undefined,
      headers.get('content-type') ?? undefined,
    )
    const deadline =
      timeout === false
        ? undefined
        : {
            milliseconds: Math.min(timeout + (opened?.size ?? 0) / MIN_TRANSFER_RATE, MAX_TIMER),
            error: () =>
              new SpindleError(
                'ERR_TIMEOUT',
                `${method} ${redactUrl(url)} got no response in time`,
                { remedy: { option: 'timeout', advice: 'raise % if the server is slow' } },
              ),
          }
    const withoutRedirects = !isOwn && mustNotFollow(opened, platform)
    try {
      const init = {
        ...opened?.init,
        method,
        headers,
        signal,
        deadline,
        ...(isOwn && { onProxyAuthorization }),
        ...(withoutRedirects && { window: null }),
        // In browsers redirects can't be checked, so they are not followed with a secret in the
        // body.
        redirect: withoutRedirects
          ? 'error'
          : !platform.isBrowser
            ? 'manual'
            : checksRedirects && method === 'POST'
              ? 'error'
              : 'follow',
      } as const
      const response = await sendOnce(url, init)
      warn(response, url)
      // Servers answer an incomplete body with an error; the failure of the body is the cause.
      const broken = opened?.failure()
      if (broken !== undefined) throw broken.error
      if (opened?.size !== undefined) request.onUpload?.(opened.size)
      // Own senders remove codings, and report unsupported ones when the body is read.
      if (isOwn || !response.ok || method === 'HEAD') return response
      const what = `${method} ${redactUrl(url)}`
      const unknown = unknownCoding(response, what)
      if (unknown === undefined) return withoutCoding(response, what)
      discard(response)
      throw unknown
    } catch (error) {
      signal?.throwIfAborted()
      // The failure of the body is the cause of the request's.
      const failure = opened?.failure()
      if (failure !== undefined) throw failure.error
      throw error instanceof SpindleError ? error : networkError(method, url, platform, error)
    }
  }

  async function attempt(
    request: TransportRequest,
    url: URL,
    onRedirect?: (from: URL, to: URL) => void,
  ): Promise<Response> {
    const { method = 'GET', signal, sameOrigin = false } = request
    const scopes = scopesOf(request.scope)
    let authorization = scopes === undefined ? undefined : await auth.begin(url, scopes, signal)
    const answered = new Set<string>()
    for (;;) {
      const headers = new Headers(request.headers)
      if (authorization !== undefined) headers.set('authorization', authorization)
      const sent = await followRedirects(
        (hop) => exchange(hop, request, onRedirect !== undefined),
        { method, url, headers },
        { sameOrigin, onRedirect },
      )
      const { response } = sent
      // Credentials are not used for the challenge of another origin.
      if (scopes === undefined || sent.url.origin !== url.origin) return response
      const refusal = { response, sent: authorization }
      const offered =
        answered.size < MAX_CHALLENGES && isReplayable(request.body)
          ? await auth.challenge(url, scopes, refusal, signal)
          : undefined
      if (offered === undefined || answered.has(offered)) return response
      answered.add(offered)
      const refused = { challenges: offered, sent: authorization }
      const next = await auth.answer(url, scopes, refused, signal)
      if (next === undefined) return response
      discard(response)
      authorization = next
    }
  }

  async function send(
    request: TransportRequest,
    onRedirect?: (from: URL, to: URL) => void,
  ): Promise<Response> {
    const { method = 'GET', signal, expect = [], once = false } = request
    const url = parseUrl(request.url)
    signal?.throwIfAborted()
    const scopes = scopesOf(request.scope) ?? []
    let lookup = auth.lastLookup(scopes)
    for (let count = 1; ; count++) {
      try {
        const response = await attempt(request, url, onRedirect)
        const { status } = response
        if ((status >= 200 && status < 300) || expect.includes(status)) {
          limiterOf(url.host).ease()
          return response
        }
        throw await responseError(response, method, url, { redact: secrets.redact })
      } catch (error) {
        signal?.throwIfAborted()
        secrets.redactError(error)
        const tooMany = error instanceof ResponseError && error.status === 429
        if (tooMany)
          limiterOf(url.host).slow(
            Math.min(
              error.retryAfter ?? 0,
              options.retry === false ? 0 : (options.retry?.maxDelay ?? 60_000),
            ),
          )
        if (!isReplayable(request.body)) throw error
        if (error instanceof ResponseError && (await auth.renew(scopes, error.status, lookup))) {
          // Once per request: a keychain can return different credentials each time.
          lookup = undefined
          continue
        }
        if (once && !tooMany) throw error
        if (await again(error, count, { signal })) continue
        if (isTransient(error)) exhausted.add(error as object)
        throw error
      }
    }
  }

  return {
    fetch: (request) => send(request),
    async protocol(registry, { scheme, signal } = {}) {
      if (scheme !== undefined) return `${scheme}:`
      const { host, hostname } = new URL(`http://${registry}`)
      if (insecureHosts.has(host)) return 'http:'
      if (!isLoopback(hostname)) return 'https:'
      // Pages do not see the reason of a failure, so nothing can be detected.
      return platform.isBrowser ? 'http:' : detectProtocol(sendOnce, host, timeout, signal)
    },
    ...(platform.connections !== undefined && { connections: platform.connections }),
    redact: secrets.redact,
    again,
  }
}

/**
 * Whether to send without following redirects. Node's `fetch` buffers all it has sent of a stream
 * for
 * a possible redirect: a layer of 1 GiB took 1 GiB of memory (measured). It does not if redirects
 * are
 * errors and `window` is null.
 */
function mustNotFollow(body: OpenBody | undefined, platform: Platform): boolean {
  return (
    !platform.isBrowser &&
    platform.FixedLengthStream === undefined &&
    body?.init.duplex !== undefined &&
    (body.size === undefined || body.size > REPLAYED_BYTES)
  )
}

function scopesOf(scope: TransportRequest['scope']): readonly AuthScope[] | undefined {
  if (scope === undefined) return undefined
  return 'registry' in scope ? [scope] : scope
}

function parseUrl(value: string | URL): URL {
  const url = new URL(value)
  if (url.username !== '' || url.password !== '')
    throw new TypeError(`the URL of ${url.host} contains a user name: pass "credentials" instead`)
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new TypeError(`the protocol ${url.protocol} is not supported: use https: or http:`)
  return url
}
