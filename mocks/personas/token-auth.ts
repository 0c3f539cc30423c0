import type { FetchHandler } from '../../src/types.ts'
import { refuse, scopeOf, withoutLogin } from './answers.ts'

export interface TokenAuthOptions {
  readonly username: string
  readonly password: string
  /** Where tokens are had. Default: `/token` of the registry itself. */
  readonly realm?: string
  /** Seconds. Default 60. */
  readonly life?: number
  /** The password is a refresh token, taken by POST. */
  readonly refresh?: boolean
  /** Everybody may pull. Default true. */
  readonly anonymous?: boolean
}

export interface TokenAuthPersona extends FetchHandler {
  /** Scopes of each token handed out, in order, and by which method. */
  readonly issued: { readonly method: string; readonly scopes: readonly string[] }[]
  /** All tokens handed out so far are no good any more. */
  revoke(): void
}

/**
 * A registry with a token service as docker-registry 2.8.2 with `auth: token` answers, measured:
 * two scopes in one challenge for a mount, and 401 with `insufficient_scope` for a wrong one.
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */
export function createTokenAuthPersona(
  registry: FetchHandler,
  options: TokenAuthOptions,
): TokenAuthPersona {
  const { username, password, life = 60, refresh = false, anonymous = true } = options
  const tokens = new Map<string, { scopes: readonly string[]; until: number }>()
  const issued: { method: string; scopes: readonly string[] }[] = []
  let count = 0

  async function issue(request: Request): Promise<Response> {
    const form =
      request.method === 'POST'
        ? new URLSearchParams(await request.text())
        : new URL(request.url).searchParams
    const scopes = form.getAll('scope').flatMap((scope) => scope.split(' '))
    const login = request.headers.get('authorization')
    const known = refresh
      ? form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === password
      : login === `Basic ${btoa(`${username}:${password}`)}`
    if ((login !== null || request.method === 'POST') && !known)
      return Response.json({ details: 'incorrect username or password' }, { status: 401 })
    if (form.get('service') !== 'registry.test') return Response.json({}, { status: 400 })
    const granted = known
      ? scopes
      : anonymous
        ? scopes.map((scope) => scope.replace(/:[a-z,*]+$/, ':pull'))
        : []
    const token = `token-${(count += 1)}`
    tokens.set(token, { scopes: granted, until: Date.now() + life * 1000 })
    issued.push({ method: request.method, scopes })
    return Response.json({ token, expires_in: life, issued_at: new Date().toISOString() })
  }

  return {
    issued,
    revoke: () => tokens.clear(),
    async fetch(request) {
      const url = new URL(request.url)
      const realm = new URL(options.realm ?? '/token', url)
      if (url.href.startsWith(realm.href)) return issue(request)
      const mount = url.searchParams.get('from')
      const wanted = [scopeOf(request), ...(mount === null ? [] : [`repository:${mount}:pull`])]
      const sent = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1]
      const token = tokens.get(sent ?? '')
      const isEnough =
        token !== undefined &&
        token.until > Date.now() &&
        wanted.every((scope) => {
          const [type, name, actions = ''] = scope.split(':')
          const held = token.scopes
            .find((other) => other.startsWith(`${type}:${name}:`))
            ?.split(':')[2]
          return actions.split(',').every((action) => held?.split(',').includes(action))
        })
      if (isEnough) return registry.fetch(withoutLogin(request))
      const reason =
        sent === undefined
          ? ''
          : `,error="${token === undefined ? 'invalid_token' : 'insufficient_scope'}"`
      return refuse(401, 'UNAUTHORIZED', 'authentication required', {
        'www-authenticate': `Bearer realm="${realm.href}",service="registry.test",scope="${wanted.join(' ')}"${reason}`,
      })
    },
  }
}
