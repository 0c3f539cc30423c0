import { formatBase64 } from '../bytes/base64.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import type { Transport } from '../types.ts'

/** Makes the value of `Authorization` anew for each request, so that tokens can be refreshed. */
export type BindleAuthorization = (context: {
  readonly transport: Transport
  readonly signal?: AbortSignal | undefined
}) => Promise<string | undefined>

/** HTTP Basic, a long-lived token, or what `createOidcCredentials` makes. */
export type BindleCredentials =
  | { readonly username: string; readonly password: string }
  | { readonly token: string }
  | BindleAuthorization

export async function authorizationOf(
  credentials: BindleCredentials | undefined,
  context: { readonly transport: Transport; readonly signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  if (credentials === undefined) return undefined
  if (typeof credentials === 'function') return credentials(context)
  if ('token' in credentials) return `Bearer ${credentials.token}`
  if (credentials.username.includes(':'))
    throw new TypeError('a user name with ":" can\'t be sent: the server would cut it there')
  return `Basic ${formatBase64(encodeUtf8(`${credentials.username}:${credentials.password}`))}`
}
