import { raceAbort } from '../bytes/abort.ts'
import { ResponseError, SpindleError } from '../errors.ts'
import type { AuthScope, CredentialSource, Credentials } from '../types.ts'
import { type Challenge, isAnswerable, parseChallenges } from './challenge.ts'
import { discard } from './response-body.ts'
import { coversScopes, formatScope, mergeScopes, namedScopes, pushOnly } from './scope.ts'
import { fetchToken, formatBasic, type SendChecked, type Token } from './token.ts'

/** Endpoint of every registry. Its challenge tells the authentication scheme. */
const BASE_PATH = '/v2/'
/** Most cached tokens: copying many repositories must not use unbounded memory. */
const MAX_TOKENS = 256
/** Age in milliseconds from which 403 can mean expired credentials, as from ECR. */
const MAY_HAVE_EXPIRED = 60_000

interface CachedToken {
  readonly origin: string
  readonly realm: string
  readonly service: string | undefined
  readonly scopes: readonly string[]
  readonly token: Promise<Token>
}

/** Authentication scheme of an origin, from its last challenge. Used without a new challenge. */
type Scheme =
  { readonly basic: true } | { readonly realm: string; readonly service: string | undefined }

/** Handles authentication challenges and caches tokens. */
export interface Auth {
  /** The `Authorization` of a first attempt; `undefined` until the origin has sent a challenge. */
  readonly begin: (
    origin: URL,
    scopes: readonly AuthScope[],
    signal?: AbortSignal,
  ) => Promise<string | undefined>
  /**
   * The challenge for a response: its own, or that of `/v2/`, requested once per origin.
   * `undefined` if authentication cannot change the response.
   */
  readonly challenge: (
    url: URL,
    scopes: readonly AuthScope[],
    answer: { readonly response: Response; readonly sent: string | undefined },
    signal?: AbortSignal,
  ) => Promise<string | undefined>
  /**
   * The `Authorization` that answers a challenge; `undefined` if it would be the same as before.
   */
  readonly answer: (
    origin: URL,
    scopes: readonly AuthScope[],
    refused: { readonly challenges: string; readonly sent: string | undefined },
    signal?: AbortSignal,
  ) => Promise<string | undefined>
  /** See `Keychain`. */
  readonly lastLookup: Keychain['lastLookup']
  /** See `Keychain`. */
  readonly renew: Keychain['renew']
}

/** Credentials from a keychain, and when they were looked up. */
interface Lookup {
  readonly since: number
  readonly credentials: Promise<Credentials | undefined>
}

/** Creates the authentication of one transport. */
export function createAuth(send: SendChecked, source: CredentialSource | undefined): Auth {
  const schemes = new Map<string, Scheme>()
  /** Challenges of `/v2/`, by origin. */
  const bases = new Map<string, Promise<string | undefined>>()
  /**
   * Scopes to request in place of those a request needs, by the latter: more if the registry
   * demands
   * more; fewer if the token service grants no more.
   */
  const wanted = new Map<string, readonly string[]>()
  const cache = new Map<string, CachedToken>()
  const keychain = createKeychain(source)

  const tokenFor = async (
    origin: URL,
    { realm, service }: { realm: string; service: string | undefined },
    scopes: readonly string[],
    credentials: Credentials | undefined,
    signal?: AbortSignal,
  ): Promise<string> => {
    const key = JSON.stringify([origin.origin, realm, service, scopes.toSorted()])
    const isSame = (entry: CachedToken): boolean =>
      entry.origin === origin.origin && entry.realm === realm && entry.service === service
    const held =
      cache.get(key) ??
      [...cache.values()].find((entry) => isSame(entry) && coversScopes(entry.scopes, scopes))
    if (held !== undefined) {
      const token = await raceAbort(held.token, signal)
      if (token.renewAt > Date.now()) return `Bearer ${token.value}`
      forget(held)
      // Another request may have started to fetch the next token.
      const next = cache.get(key)
      if (next !== undefined) return `Bearer ${(await raceAbort(next.token, signal)).value}`
    }
    // Without the caller's signal: other requests wait for the same token.
    const token = fetchToken(send, { realm, service, scopes, registry: origin, credentials })
    const entry: CachedToken = { origin: origin.origin, realm, service, scopes, token }
    if (cache.size >= MAX_TOKENS) cache.delete(cache.keys().next().value!)
    cache.set(key, entry)
    token.catch(() => forget(entry))
    return `Bearer ${(await raceAbort(token, signal)).value}`
  }
  const forget = (gone: CachedToken): void => {
    for (const [key, entry] of cache) if (entry === gone) cache.delete(key)
  }
  const drop = async (sent: string): Promise<void> => {
    for (const [key, entry] of cache) {
      const token = await entry.token.catch(() => undefined)
      if (token !== undefined && `Bearer ${token.value}` === sent) cache.delete(key)
    }
  }
  const askBase = (origin: URL): Promise<string | undefined> => {
    const known = bases.get(origin.origin)
    if (known !== undefined) return known
    // Without the caller's signal: other requests wait for the same. Repeated after a failure.
    const asked = fetchBaseChallenge(send, origin)
    bases.set(origin.origin, asked)
    asked.catch(() => bases.delete(origin.origin))
    return asked
  }
  /** @param needed Scopes of the request itself, under which different scopes are remembered. */
  const bearer = async (
    origin: URL,
    scheme: { realm: string; service: string | undefined },
    { needed, scopes }: { needed: readonly string[]; scopes: readonly string[] },
    credentials: Credentials | undefined,
    signal?: AbortSignal,
  ): Promise<string> => {
    if (credentials !== undefined && 'token' in credentials) return `Bearer ${credentials.token}`
    try {
      return await tokenFor(origin, scheme, scopes, credentials, signal)
    } catch (error) {
      const fewer = pushOnly(scopes)
      if (fewer === undefined || !isDenial(error)) throw error
      // Credentials for pushing only: some services refuse the whole scope instead of granting a
      // part.
      const token = await tokenFor(origin, scheme, fewer, credentials, signal).catch(() => {
        throw error
      })
      remember(origin, needed, fewer)
      return token
    }
  }
  const remember = (origin: URL, needed: readonly string[], scopes: readonly string[]): void => {
    if (wanted.size >= MAX_TOKENS) wanted.clear()
    wanted.set([origin.origin, ...needed].join(' '), scopes)
  }

  return {
    async begin(origin, scopes, signal) {
      const scheme = schemes.get(origin.origin)
      if (scheme === undefined) return undefined
      const credentials = await keychain.find(scopes, signal)
      if ('basic' in scheme) return basic(credentials)
      const needed = namedScopes(scopes)
      const requested = wanted.get([origin.origin, ...needed].join(' ')) ?? needed
      return bearer(origin, scheme, { needed, scopes: requested }, credentials, signal)
    },
    async challenge(url, scopes, { response, sent }, signal) {
      const { status } = response
      if (![401, 403, 404].includes(status)) return undefined
      const offered = response.headers.get('www-authenticate')
      const isOwn = isAnswerable(offered)
      if (!isOwn && url.pathname === BASE_PATH) return undefined
      // Registries answer 403 or 404 for private repositories too.
      if (status !== 401 && (sent !== undefined || !(await keychain.has(scopes, signal))))
        return undefined
      if (isOwn) return offered
      return raceAbort(
        askBase(url).catch(() => undefined),
        signal,
      )
    },
    async answer(origin, scopes, { challenges, sent }, signal) {
      const offered = parseChallenges(challenges)
      const credentials = await keychain.find(scopes, signal)
      const asBearer = offered.find(({ scheme }) => scheme === 'bearer')
      const realm = asBearer?.parameters.get('realm')
      if (asBearer === undefined || realm === undefined) {
        if (!offered.some(({ scheme }) => scheme === 'basic')) return undefined
        const header = basic(credentials)
        // Stored even if these credentials were refused: later ones use the same scheme.
        schemes.set(origin.origin, { basic: true })
        return header === sent ? undefined : header
      }
      if (sent !== undefined) await drop(sent)
      const scheme = { realm, service: asBearer.parameters.get('service') }
      const needed = namedScopes(scopes)
      // The scopes of the challenge come first: some services read only the first.
      const requested = mergeScopes([...challengedScopes(asBearer), ...needed])
      schemes.set(origin.origin, scheme)
      if (!coversScopes(needed, requested)) remember(origin, needed, requested)
      const header = await bearer(
        origin,
        scheme,
        { needed, scopes: requested },
        credentials,
        signal,
      )
      return header === sent ? undefined : header
    },
    lastLookup: keychain.lastLookup,
    renew: keychain.renew,
  }
}

/**
 * The challenge of `/v2/`, if there is one. Also with status 200, as zot sends it if anonymous
 * access is partly allowed (project-zot/zot #3869).
 * @see Distribution Spec 1.1, Determining Support
 */
async function fetchBaseChallenge(send: SendChecked, origin: URL): Promise<string | undefined> {
  try {
    const request = { url: new URL(BASE_PATH, origin), expect: [401, 403, 404], sameOrigin: true }
    const response = await send(request, () => {})
    discard(response)
    // Browsers follow redirects themselves. A challenge of another origin is not the registry's.
    const isElsewhere = response.redirected && new URL(response.url).origin !== origin.origin
    const offered = response.headers.get('www-authenticate')
    return !isElsewhere && isAnswerable(offered) ? offered : undefined
  } catch (error) {
    if (error instanceof ResponseError) return undefined
    throw error
  }
}

/**
 * Whether a token service may have refused because of the scope. 401 also means a wrong password.
 */
function isDenial(error: unknown): boolean {
  return error instanceof ResponseError && [400, 401, 403].includes(error.status)
}

function challengedScopes({ parameters }: Challenge): string[] {
  return (parameters.get('scope') ?? '').split(' ').filter((scope) => scope !== '')
}

function basic(credentials: Credentials | undefined): string | undefined {
  if (credentials === undefined) return undefined
  if ('username' in credentials) return formatBasic(credentials)
  // A registry that requests Basic may accept a token too.
  return 'token' in credentials ? `Bearer ${credentials.token}` : undefined
}

interface Keychain {
  readonly find: (
    scopes: readonly AuthScope[],
    signal?: AbortSignal,
  ) => Promise<Credentials | undefined>
  /** Whether there are credentials for these scopes, as far as is known before a challenge. */
  readonly has: (scopes: readonly AuthScope[], signal?: AbortSignal) => Promise<boolean>
  /** The last lookup; to be read before a request, and passed to `renew` if that is refused. */
  readonly lastLookup: (scopes: readonly AuthScope[]) => Lookup | undefined
  /** Looks refused credentials up again; resolves with whether they have changed. */
  readonly renew: (
    scopes: readonly AuthScope[],
    status: number,
    refused?: Lookup,
  ) => Promise<boolean>
}

/**
 * Looks credentials up once per scope, and again after they were refused. Plain credentials are
 * used
 * for the first registry only.
 */
function createKeychain(source: CredentialSource | undefined): Keychain {
  if (source !== undefined && typeof source !== 'function') assertCredentialsOption(source)
  const found = new Map<string, Lookup>()
  let owner: string | undefined
  const keyOf = ([scope]: readonly AuthScope[]): string =>
    scope === undefined ? '' : `${scope.registry}/${formatScope(scope)}`
  const find: Keychain['find'] = async (scopes, signal) => {
    const scope = scopes[0]
    if (scope === undefined || source === undefined) return undefined
    if (typeof source !== 'function') {
      owner ??= scope.registry
      if (owner === scope.registry) return source
      throw new TypeError(
        `"credentials" are those of ${owner}, and ${scope.registry} requires some too: pass a function that returns the credentials of a registry`,
      )
    }
    const key = keyOf(scopes)
    let held = found.get(key)
    if (held === undefined) {
      const credentials = (async () => assertCredentials(await source(scope)))()
      held = { since: Date.now(), credentials }
      found.set(key, held)
      credentials.catch(() => found.delete(key))
    }
    return raceAbort(held.credentials, signal)
  }
  return {
    find,
    async has(scopes, signal) {
      const scope = scopes[0]
      if (scope === undefined || source === undefined) return false
      if (typeof source !== 'function') return owner === undefined || owner === scope.registry
      // A failing keychain is reported once a registry sends a challenge.
      return find(scopes, signal).then(
        (credentials) => credentials !== undefined,
        () => true,
      )
    },
    lastLookup: (scopes) => found.get(keyOf(scopes)),
    async renew(scopes, status, refused) {
      if (refused === undefined) return false
      if (status !== 401 && !(status === 403 && Date.now() - refused.since > MAY_HAVE_EXPIRED))
        return false
      // Unless another request has looked them up since.
      if (found.get(keyOf(scopes)) === refused) found.delete(keyOf(scopes))
      const now = await find(scopes)
      return JSON.stringify(now) !== JSON.stringify(await refused.credentials)
    },
  }
}

/** What the option `credentials` takes, for messages. */
const CREDENTIAL_FORMS =
  '{ username, password }, { token }, { refreshToken } or a function that returns one of them'

/** Refuses credentials that would be taken for none, or sent as nonsense. The message shows no value. */
function assertCredentialsOption(value: unknown): asserts value is Credentials {
  const refuse = (what: string, meant = ''): never => {
    throw new TypeError(`"credentials" is ${what}: pass ${CREDENTIAL_FORMS}${meant}`)
  }
  if (value === null) refuse('null', '; leave it out for anonymous access')
  if (typeof value !== 'object' || Array.isArray(value))
    refuse(Array.isArray(value) ? 'an array' : `a ${typeof value}`)
  const given = value as Readonly<Record<string, unknown>>
  const isText = (name: string): boolean => typeof given[name] === 'string'
  if ((isText('username') && isText('password')) || isText('token') || isText('refreshToken'))
    return
  const names = Object.keys(given)
  refuse(
    names.length === 0 ? 'an empty object' : `an object with ${names.slice(0, 5).join(', ')}`,
    names.some((name) => /^(?:user|pass)$/.test(name))
      ? '; user is username, pass is password'
      : '',
  )
}

function assertCredentials(value: Credentials | undefined): Credentials | undefined {
  if (typeof value === 'function')
    throw new TypeError(
      '"credentials" returned a function: pass the result of calling it, such as createNodeKeychain()',
    )
  if (value === undefined || 'username' in value || 'token' in value || 'refreshToken' in value)
    return value
  throw new SpindleError(
    'ERR_CREDENTIALS_INVALID',
    '"credentials" returned something other than { username, password }, { token } or { refreshToken }',
  )
}
