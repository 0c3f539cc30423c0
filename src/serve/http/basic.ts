import { parseBase64 } from '../../bytes/base64.ts'
import { decodeUtf8 } from '../../bytes/text.ts'
import type { AuthScope } from '../../types.ts'
import type { Authorize } from './authorize.ts'

/**
 * Checks a password. Returns `true` or the canonical user name for valid credentials, `false` or `undefined`
 * for invalid ones. If it rejects with `ERR_LIMIT_EXCEEDED`, the answer is 429.
 */
export type Authenticate = (
  username: string,
  password: string,
  request?: Request,
) => string | boolean | undefined | Promise<string | boolean | undefined>

/** Users and their permissions, for Basic and token authentication. */
export interface AccessRules {
  /** Checks name and password. */
  readonly authenticate: Authenticate
  /**
   * Whether a user has all permissions of a scope; the user is `undefined` for anonymous requests.
   * Default: authenticated users have all permissions, anonymous requests none.
   */
  readonly permit?: (user: string | undefined, scope: AuthScope) => boolean | Promise<boolean>
}

/** Options of `createBasicAuthorizer`. */
export interface BasicOptions extends AccessRules {
  /** Name shown in the browser's password prompt. Default `registry`. */
  readonly realm?: string
}

/**
 * Creates an `authorize` hook for HTTP Basic authentication.
 *
 * Exported from `spindle/serve`.
 *
 * @example Anonymous pull, one user who can push
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
    // Never treat invalid credentials as anonymous: the client has to learn that they are invalid.
    return user === undefined ? challenge : permit(user, scope)
  }
}

/** The default of `permit`. */
export function permitUsers(user: string | undefined): boolean {
  return user !== undefined
}

/** The user of an `Authorization: Basic` header; `undefined` for invalid credentials. */
export async function authenticateHeader(
  request: Request,
  header: string,
  authenticate: Authenticate,
): Promise<string | undefined> {
  const credentials = parseBasic(header)
  return credentials === undefined ? undefined : userOf(credentials, authenticate, request)
}

/** The user name for valid credentials, otherwise `undefined`. */
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

/** Splits at the first colon: passwords can contain more. @see RFC 7617, 2 */
function parseBasic(header: string): BasicCredentials | undefined {
  const match = /^basic +([A-Za-z0-9+/]+=*) *$/i.exec(header)
  const bytes = parseBase64(match?.[1] ?? '')
  const text = bytes === undefined ? undefined : decodeUtf8(bytes)
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon < 0) return undefined
  return { username: text.slice(0, colon), password: text.slice(colon + 1) }
}
