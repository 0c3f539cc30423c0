import { bodyOf } from '../bytes/request-body.ts'
import { isJsonObject } from '../bytes/json.ts'
import type { JsonObject } from '../bytes/json.ts'
import { readBounded } from '../bytes/stream.ts'
import { decodeUtf8 } from '../bytes/text.ts'
import type { AuthScope } from '../types.ts'
import { formatChallenge, formatScope } from './http/authorize.ts'
import type { Authorization, Authorize, Challenge } from './http/authorize.ts'
import { authenticateHeader, permitUsers, userOf } from './http/basic.ts'
import type { AccessRules } from './http/basic.ts'
import type { TokenEndpoint } from './registry/handler.ts'
import { isRepositoryName } from '../oci/reference.ts'
import { createTokenSigner } from './http/signed-token.ts'

/** Default lifetime of a token in seconds: long enough for a push, short in case the token leaks. */
const TOKEN_LIFETIME = 300
/** Lifetime of a refresh token in seconds: thirty days. */
const REFRESH_LIFETIME: number = 30 * 24 * 60 * 60
/** Largest form: scopes and a refresh token. */
const MAX_FORM_BYTES = 64 * 1024
/** Most scopes in one token: a mount has two, a copy of many repositories some dozens. */
const MAX_SCOPES = 100
const ACTIONS: ReadonlySet<string> = new Set(['pull', 'push', 'delete'])

/** Options of `createTokenService`. */
export interface TokenServiceOptions extends AccessRules {
  /**
   * Name of the service, the audience of its tokens. Tokens for another name are rejected even if they have
   * the same secret. Default `registry`.
   */
  readonly service?: string
  /** Absolute public URL of the endpoint. Default: `path` on the origin of the request. */
  readonly realm?: string
  /** Path of the endpoint. Default `/token`. */
  readonly path?: string
  /**
   * Key that signs tokens: 32 bytes or more, the same for all instances. Default: random, so that tokens
   * become invalid when the process ends.
   */
  readonly secret?: Uint8Array
  /** Lifetime of a token in seconds. Default 300. */
  readonly lifetime?: number
}

/** The options of `createRegistryHandler` that `createTokenService` provides. */
export interface TokenService {
  /** Checks Bearer tokens. */
  readonly authorize: Authorize
  /** Issues Bearer tokens. */
  readonly tokenEndpoint: TokenEndpoint
}

/**
 * Issues and checks Bearer tokens for a registry.
 *
 * Exported from `spindle/serve`.
 *
 * @example A registry with token authentication, like hosted registries
 * ```ts
 * const tokens = createTokenService({ authenticate: (name, password) => users.check(name, password) })
 * const registry = createRegistryHandler({ ...tokens })
 * ```
 * @throws `TypeError` for a `secret` shorter than 32 bytes.
 * @see {@link https://distribution.github.io/distribution/spec/auth/token/ Token Authentication}
 */
export function createTokenService(options: TokenServiceOptions): TokenService {
  const {
    authenticate,
    permit = permitUsers,
    service = 'registry',
    path = '/token',
    lifetime = TOKEN_LIFETIME,
  } = options
  const signer = createTokenSigner(options.secret)

  const challenge = (request: Request, scope: AuthScope, error?: string): Authorization => {
    const wanted = formatScope(scope)
    const parameters = {
      realm: options.realm ?? new URL(path, request.url).href,
      service,
      ...(wanted !== '' && { scope: wanted }),
      ...(error !== undefined && { error }),
    }
    return { challenge: { scheme: 'Bearer', parameters } satisfies Challenge }
  }

  const authorize: Authorize = async (request, scope) => {
    const header = request.headers.get('Authorization')
    if (header === null) return challenge(request, scope)
    const token = /^bearer +([\w.-]+) *$/i.exec(header)?.[1]
    const claims = token === undefined ? undefined : await signer.verify(token)
    if (claims === undefined || claims['aud'] !== service || !Array.isArray(claims['access'])) {
      return challenge(request, scope, 'invalid_token')
    }
    return covers(claims['access'], scope) || challenge(request, scope, 'insufficient_scope')
  }

  /** Issues a token for the permitted part of the scopes. It can be empty: the registry then rejects it. */
  const issue = async (
    request: Request,
    user: string | undefined,
    asked: readonly string[],
    offline: boolean,
  ): Promise<Response> => {
    const access: JsonObject[] = []
    for (const text of asked.slice(0, MAX_SCOPES)) {
      const scope = parseScope(text, new URL(request.url).host)
      if (scope === undefined) continue
      const actions: string[] = []
      for (const action of scope.actions) {
        if (await permit(user, { ...scope, actions: [action] })) actions.push(action)
      }
      if (actions.length > 0) access.push({ name: scope.repository, actions })
    }
    const now = Math.floor(Date.now() / 1000)
    const base = { aud: service, sub: user ?? '', iat: now }
    const token = await signer.sign({ ...base, exp: now + lifetime, access })
    const refresh =
      offline && user !== undefined
        ? await signer.sign({ ...base, exp: now + REFRESH_LIFETIME, refresh: true })
        : undefined
    return answer(200, {
      token,
      access_token: token,
      expires_in: lifetime,
      issued_at: new Date(now * 1000).toISOString(),
      ...(refresh !== undefined && { refresh_token: refresh }),
    })
  }

  const refuse = (): Response => {
    const header = formatChallenge({ scheme: 'Basic', parameters: { realm: service } })
    return answer(
      401,
      { errors: [{ code: 'UNAUTHORIZED', message: 'wrong name, password or refresh token' }] },
      { 'WWW-Authenticate': header },
    )
  }

  const byGet = async (request: Request, query: URLSearchParams): Promise<Response> => {
    const header = request.headers.get('Authorization')
    const user =
      header === null ? undefined : await authenticateHeader(request, header, authenticate)
    if (header !== null && user === undefined) return refuse()
    return issue(
      request,
      user,
      query.getAll('scope').flatMap(splitScopes),
      query.get('offline_token') === 'true',
    )
  }

  /** OAuth 2: a form with a password or a refresh token. */
  const byPost = async (request: Request, form: URLSearchParams): Promise<Response> => {
    const offline = form.get('access_type') === 'offline'
    const scopes = form.getAll('scope').flatMap(splitScopes)
    if (form.get('grant_type') === 'password') {
      const credentials = {
        username: form.get('username') ?? '',
        password: form.get('password') ?? '',
      }
      const user = await userOf(credentials, authenticate, request)
      return user === undefined ? refuse() : issue(request, user, scopes, offline)
    }
    if (form.get('grant_type') === 'refresh_token') {
      const claims = await signer.verify(form.get('refresh_token') ?? '')
      const user = claims?.['sub']
      const valid =
        claims?.['refresh'] === true && claims['aud'] === service && typeof user === 'string'
      return valid ? issue(request, user, scopes, offline) : refuse()
    }
    return answer(400, {
      errors: [{ code: 'UNSUPPORTED', message: 'grant_type should be password or refresh_token' }],
    })
  }

  return {
    authorize,
    tokenEndpoint: {
      path,
      async fetch(request) {
        const { searchParams } = new URL(request.url)
        if (request.method === 'GET' || request.method === 'HEAD') {
          return forService(searchParams, service) ?? byGet(request, searchParams)
        }
        if (request.method !== 'POST')
          return answer(
            405,
            {
              errors: [
                { code: 'UNSUPPORTED', message: 'method not allowed (allowed: GET, HEAD, POST)' },
              ],
            },
            { Allow: 'GET, HEAD, POST, OPTIONS' },
          )
        const form = await readForm(request)
        if (form === undefined)
          return answer(413, {
            errors: [
              {
                code: 'SIZE_INVALID',
                message: `the form is not valid UTF-8 or longer than ${MAX_FORM_BYTES} bytes`,
              },
            ],
          })
        return forService(form, service) ?? byPost(request, form)
      },
    },
  }
}

/** Rejects a request for another service, where the token would not be accepted. */
function forService(parameters: URLSearchParams, service: string): Response | undefined {
  const asked = parameters.get('service')
  if (asked === null || asked === service) return undefined
  return answer(400, {
    errors: [{ code: 'UNSUPPORTED', message: `tokens are issued for the service ${service} only` }],
  })
}

async function readForm(request: Request): Promise<URLSearchParams | undefined> {
  try {
    const body = bodyOf(request) ?? new Uint8Array()
    const text = decodeUtf8(await readBounded(body, MAX_FORM_BYTES, 'the form'))
    return text === undefined ? undefined : new URLSearchParams(text)
  } catch {
    return undefined
  }
}

function splitScopes(text: string): string[] {
  return text.split(' ').filter((scope) => scope !== '')
}

/** Parses `repository:name:pull,push`. The name can contain a colon: split at the first and the last one. */
function parseScope(text: string, registry: string): AuthScope | undefined {
  if (text === 'registry:catalog:*') return { registry, repository: '', actions: ['pull'] }
  const [first, last] = [text.indexOf(':'), text.lastIndexOf(':')]
  const repository = text.slice(first + 1, last)
  if (text.slice(0, first) !== 'repository' || !isRepositoryName(repository)) return undefined
  const actions = [...new Set(text.slice(last + 1).split(','))].filter((action) =>
    ACTIONS.has(action),
  )
  return { registry, repository, actions: actions as unknown as AuthScope['actions'] }
}

/** Whether a token covers a scope. The ping at `/v2/` needs no actions, so any token of the service does. */
function covers(access: readonly unknown[], { repository, actions }: AuthScope): boolean {
  return actions.every((action) =>
    access.some(
      (entry) =>
        isJsonObject(entry) &&
        entry['name'] === repository &&
        Array.isArray(entry['actions']) &&
        entry['actions'].includes(action),
    ),
  )
}

function answer(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers },
  })
}
