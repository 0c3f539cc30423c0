import { parseBase64 } from '../../bytes/base64.ts'
import { decodeUtf8 } from '../../bytes/text.ts'
import type { AuthScope } from '../../types.ts'
import type { Authorize } from './authorize.ts'

/**
 * Whether a user has this password: `true`, or the name that the user goes by. When name or password
 * is wrong: `false` or `undefined`. What rejects with `ERR_LIMIT_EXCEEDED` is answered with 429.
 */
export type Authenticate = (
  username: string,
  password: string,
  request?: Request,
) => string | boolean | undefined | Promise<string | boolean | undefined>

/** Who there is and what they may do: the same for Basic and for tokens. */
export interface AccessRules {
  readonly authenticate: Authenticate
  /**
   * Whether a user may do all that a scope says; `undefined` is somebody unknown.
   * Default: every user everything, strangers nothing.
   */
  readonly permit?: (user: string | undefined, scope: AuthScope) => boolean | Promise<boolean>
}

export interface BasicOptions extends AccessRules {
  /** Shown where somebody is asked for a password. Default `registry`. */
  readonly realm?: string
}

/**
 * An `authorize` hook for name and password with each request.
 *
 * Exported from `spindle/serve`.
 *
 * @example Everybody pulls, one pushes
 * ```ts
 * createRegistryHandler({
 *   authorize: createBasicAuthorizer({
 *     authenticate: (name, password) => (name === 'ci' && password === secret ? name : undefined),
 *     permit: (user, { actions }) => user !== undefined || actions.every((action) => action === 'pull'),
 *   }),
 * })
 * ```
 */
export function createBasicAuthorizer(options: BasicOptions): Authorize {
  const { authenticate, permit = permitUsers, realm = 'registry' } = options
  const challenge = {
    challenge: { scheme: 'Basic', parameters: { realm, charset: 'UTF-8' } },
  } as const
  return async (request, scope) => {
    const header = request.headers.get('Authorization')
    if (header === null) return (await permit(undefined, scope)) || challenge
    const user = await authenticateHeader(request, header, authenticate)
    // Wrong credentials are never taken for none: the client must learn that they are wrong.
    return user === undefined ? challenge : permit(user, scope)
  }
}

export function permitUsers(user: string | undefined): boolean {
  return user !== undefined
}

/** The user that an `Authorization: Basic` header proves. */
export async function authenticateHeader(
  request: Request,
  header: string,
  authenticate: Authenticate,
): Promise<string | undefined> {
  const credentials = parseBasic(header)
  return credentials === undefined ? undefined : userOf(credentials, authenticate, request)
}

/** The name of a user who has the password, else `undefined`. */
export async function userOf(
  { username, password }: BasicCredentials,
  authenticate: Authenticate,
  request: Request,
): Promise<string | undefined> {
  const user = await authenticate(username, password, request)
  if (user === true) return username
  return user === false ? undefined : user
}

interface BasicCredentials {
  readonly username: string
  readonly password: string
}

/** Cut at the first colon: passwords may have more. @see RFC 7617, 2 */
function parseBasic(header: string): BasicCredentials | undefined {
  const match = /^basic +([A-Za-z0-9+/]+=*) *$/i.exec(header)
  const bytes = parseBase64(match?.[1] ?? '')
  const text = bytes === undefined ? undefined : decodeUtf8(bytes)
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon < 0) return undefined
  return { username: text.slice(0, colon), password: text.slice(colon + 1) }
}
