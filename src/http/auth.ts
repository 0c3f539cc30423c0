import { raceAbort } from '../bytes/abort.ts'
import { ResponseError, SpindleError } from '../errors.ts'
import type { AuthScope, CredentialSource, Credentials } from '../types.ts'
import { type Challenge, isAnswerable, parseChallenges } from './challenge.ts'
import { discard } from './response-body.ts'
import { coversScopes, formatScope, mergeScopes, namedScopes, pushOnly } from './scope.ts'
import { fetchToken, formatBasic, type SendChecked, type Token } from './token.ts'

/** What every registry has: its challenge says how to log in. */
const BASE_PATH = '/v2/'
/** Tokens held at once; a mirror of many repositories must not grow without end. */
const MAX_TOKENS = 256
/** Milliseconds after which "forbidden" may mean that credentials have expired: ECR says it so. */
const MAY_HAVE_EXPIRED = 60_000

interface CachedToken {
  readonly origin: string
  readonly realm: string
  readonly service: string | undefined
  readonly scopes: readonly string[]
  readonly token: Promise<Token>
}

/** What an origin was seen to ask for; used before it asks again. */
type Scheme =
  { readonly basic: true } | { readonly realm: string; readonly service: string | undefined }

/** Answers challenges of registries, and spares them by what it has learned. */
export interface Auth {
  /** The header to begin with; `undefined` as long as the origin hasn't asked for one. */
  readonly begin: (
    origin: URL,
    scopes: readonly AuthScope[],
    signal?: AbortSignal,
  ) => Promise<string | undefined>
  /**
   * What an answer of the origin asks for: its own challenge, or else that of `/v2/`, which is asked
   * once for each origin. `undefined` for an answer that logging in can't change.
   */
  readonly challenge: (
    url: URL,
    scopes: readonly AuthScope[],
    answer: { readonly response: Response; readonly sent: string | undefined },
    signal?: AbortSignal,
  ) => Promise<string | undefined>
  /** The header to come back with after a challenge; `undefined` when there is no better one. */
  readonly answer: (
    origin: URL,
    scopes: readonly AuthScope[],
    refused: { readonly challenges: string; readonly sent: string | undefined },
    signal?: AbortSignal,
  ) => Promise<string | undefined>
  readonly held: Keychain['held']
  readonly renew: Keychain['renew']
}

/** What a keychain gave, and when. */
interface Held {
  readonly since: number
  readonly credentials: Promise<Credentials | undefined>
}

export function createAuth(send: SendChecked, source: CredentialSource | undefined): Auth {
  const schemes = new Map<string, Scheme>()
  /** What `/v2/` asks for, by origin. */
  const bases = new Map<string, Promise<string | undefined>>()
  /**
   * Scopes to ask for in place of those that were meant, by those: more, where the registry wants
   * more; fewer, where the token service grants no more.
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
      // Whoever was first to see its age has begun to fetch the next.
      const next = cache.get(key)
      if (next !== undefined) return `Bearer ${(await raceAbort(next.token, signal)).value}`
    }
    // Without the caller's signal: others wait for the same token.
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
    // Without the caller's signal: others wait for the same. What got no answer is asked again.
    const asked = fetchBaseChallenge(send, origin)
    bases.set(origin.origin, asked)
    asked.catch(() => bases.delete(origin.origin))
    return asked
  }
  /** @param meant What the request itself needs, by which larger or smaller scopes are remembered. */
  const bearer = async (
    origin: URL,
    scheme: { realm: string; service: string | undefined },
    { meant, scopes }: { meant: readonly string[]; scopes: readonly string[] },
    credentials: Credentials | undefined,
    signal?: AbortSignal,
  ): Promise<string> => {
    if (credentials !== undefined && 'token' in credentials) return `Bearer ${credentials.token}`
    try {
      return await tokenFor(origin, scheme, scopes, credentials, signal)
    } catch (error) {
      const fewer = pushOnly(scopes)
      if (fewer === undefined || !isDenial(error)) throw error
      // Credentials that may only push: a service may refuse the whole scope instead of a part.
      const token = await tokenFor(origin, scheme, fewer, credentials, signal).catch(() => {
        throw error
      })
      remember(origin, meant, fewer)
      return token
    }
  }
  const remember = (origin: URL, meant: readonly string[], scopes: readonly string[]): void => {
    if (wanted.size >= MAX_TOKENS) wanted.clear()
    wanted.set([origin.origin, ...meant].join(' '), scopes)
  }

  return {
    async begin(origin, scopes, signal) {
      const scheme = schemes.get(origin.origin)
      if (scheme === undefined) return undefined
      const credentials = await keychain.find(scopes, signal)
      if ('basic' in scheme) return basic(credentials)
      const meant = namedScopes(scopes)
      const asked = wanted.get([origin.origin, ...meant].join(' ')) ?? meant
      return bearer(origin, scheme, { meant, scopes: asked }, credentials, signal)
    },
    async challenge(url, scopes, { response, sent }, signal) {
      const { status } = response
      if (![401, 403, 404].includes(status)) return undefined
      const offered = response.headers.get('www-authenticate')
      const isOwn = isAnswerable(offered)
      if (!isOwn && url.pathname === BASE_PATH) return undefined
      // What is private may be denied, or be answered as if it were not there.
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
        // Also when it was refused: this is how to begin with other credentials.
        schemes.set(origin.origin, { basic: true })
        return header === sent ? undefined : header
      }
      if (sent !== undefined) await drop(sent)
      const scheme = { realm, service: asBearer.parameters.get('service') }
      const meant = namedScopes(scopes)
      // What was asked for stands first: some services read only that.
      const asked = mergeScopes([...challengedScopes(asBearer), ...meant])
      schemes.set(origin.origin, scheme)
      if (!coversScopes(meant, asked)) remember(origin, meant, asked)
      const header = await bearer(origin, scheme, { meant, scopes: asked }, credentials, signal)
      return header === sent ? undefined : header
    },
    held: keychain.held,
    renew: keychain.renew,
  }
}

/**
 * The challenge of `/v2/`, if there is one. Also beside 200, as zot has it where strangers may read
 * something (project-zot/zot #3869).
 * @see Distribution Spec 1.1, Determining Support
 */
async function fetchBaseChallenge(send: SendChecked, origin: URL): Promise<string | undefined> {
  try {
    const request = { url: new URL(BASE_PATH, origin), expect: [401, 403, 404], sameOrigin: true }
    const response = await send(request, () => {})
    discard(response)
    // Browsers follow redirects on their own; another origin's challenge is not the registry's.
    const isElsewhere = response.redirected && new URL(response.url).origin !== origin.origin
    const offered = response.headers.get('www-authenticate')
    return !isElsewhere && isAnswerable(offered) ? offered : undefined
  } catch (error) {
    if (error instanceof ResponseError) return undefined
    throw error
  }
}

/** Whether a token service may have refused for the scope. 401 is also that of a wrong password. */
function isDenial(error: unknown): boolean {
  return error instanceof ResponseError && [400, 401, 403].includes(error.status)
}

function challengedScopes({ parameters }: Challenge): string[] {
  return (parameters.get('scope') ?? '').split(' ').filter((scope) => scope !== '')
}

function basic(credentials: Credentials | undefined): string | undefined {
  if (credentials === undefined) return undefined
  if ('username' in credentials) return formatBasic(credentials)
  // A registry that asks for Basic may still know a token when it sees one.
  return 'token' in credentials ? `Bearer ${credentials.token}` : undefined
}

interface Keychain {
  readonly find: (
    scopes: readonly AuthScope[],
    signal?: AbortSignal,
  ) => Promise<Credentials | undefined>
  /** Whether there are credentials for this, as far as can be told without a registry that asks. */
  readonly has: (scopes: readonly AuthScope[], signal?: AbortSignal) => Promise<boolean>
  /** What was found before; to be taken before a request that may be refused. */
  readonly held: (scopes: readonly AuthScope[]) => Held | undefined
  /** Asks anew for what was held and refused; whether there is something else now. */
  readonly renew: (scopes: readonly AuthScope[], status: number, held?: Held) => Promise<boolean>
}

/**
 * Asks once per scope, until what it gave is refused; plain credentials belong to the first registry
 * that is named.
 */
function createKeychain(source: CredentialSource | undefined): Keychain {
  const found = new Map<string, Held>()
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
        `"credentials" are those of ${owner}, and ${scope.registry} asks for some: give a function from registry to credentials`,
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
      // A keychain that fails is reported once a registry asks for credentials.
      return find(scopes, signal).then(
        (credentials) => credentials !== undefined,
        () => true,
      )
    },
    held: (scopes) => found.get(keyOf(scopes)),
    async renew(scopes, status, held) {
      if (held === undefined) return false
      if (status !== 401 && !(status === 403 && Date.now() - held.since > MAY_HAVE_EXPIRED))
        return false
      // Unless somebody else has asked since.
      if (found.get(keyOf(scopes)) === held) found.delete(keyOf(scopes))
      const now = await find(scopes)
      return JSON.stringify(now) !== JSON.stringify(await held.credentials)
    },
  }
}

function assertCredentials(value: Credentials | undefined): Credentials | undefined {
  if (value === undefined || 'username' in value || 'token' in value || 'refreshToken' in value)
    return value
  throw new SpindleError(
    'ERR_CREDENTIALS_INVALID',
    '"credentials" gave something else than { username, password }, { token } or { refreshToken }',
  )
}
