import { ResponseError, SpindleError } from '../errors.ts'
import { formatBase64 } from '../bytes/base64.ts'
import { isJsonObject, parseJson } from '../bytes/json.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import type { Credentials, TransportRequest } from '../types.ts'
import { assertRealm } from './realm.ts'
import { redactUrl } from './redact.ts'
import { readBody } from './response-body.ts'

/** Largest response of a token service in bytes. Real tokens have some kilobytes. */
export const MAX_TOKEN_BYTES: number = 128 * 1024
/** Seconds that a token without `expires_in` is valid, as the specification says. */
const DEFAULT_LIFE = 60
const CLIENT_ID = 'spindle'
/** User name that marks the password as a refresh token, in Docker's config.json and helpers. */
const TOKEN_USER = '<token>'

/** A registry token. */
export interface Token {
  readonly value: string
  /** Time from which a new token is fetched, in milliseconds since 1970. */
  readonly renewAt: number
}

interface TokenQuery {
  readonly realm: string
  readonly service: string | undefined
  readonly scopes: readonly string[]
  readonly registry: URL
  readonly credentials: Credentials | undefined
}

/** Sends a request and calls `onRedirect` before a redirect is followed. */
export type SendChecked = (
  request: TransportRequest,
  onRedirect: (from: URL, to: URL) => void,
) => Promise<Response>

/** An `Authorization` with a password. */
export function formatBasic({
  username,
  password,
}: {
  username: string
  password: string
}): string {
  return `Basic ${formatBase64(encodeUtf8(`${username}:${password}`))}`
}

/** The refresh token in credentials, in either form. */
function refreshTokenOf(credentials: Credentials | undefined): string | undefined {
  if (credentials === undefined || 'token' in credentials) return undefined
  if ('refreshToken' in credentials) return credentials.refreshToken
  return credentials.username === TOKEN_USER ? credentials.password : undefined
}

/**
 * Fetches a token from a token service: by GET, with a password or anonymously; by POST with a
 * refresh
 * token, or if GET is not supported.
 * @throws `ERR_UNAUTHORIZED`, `ERR_CONTENT_INVALID`, `ERR_LIMIT_EXCEEDED`
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */
export async function fetchToken(send: SendChecked, query: TokenQuery): Promise<Token> {
  const { credentials, registry } = query
  const realm = parseRealm(query.realm, registry)
  const refreshToken = refreshTokenOf(credentials)
  const password = credentials !== undefined && 'username' in credentials ? credentials : undefined
  const onRedirect = (from: URL, to: URL): void =>
    assertRealm(to, from.protocol === 'https:' ? from : registry)
  if (refreshToken !== undefined) {
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken }
    return post(send, realm, query, form)
  }
  try {
    const url = new URL(realm)
    if (query.service !== undefined) url.searchParams.set('service', query.service)
    for (const scope of query.scopes) url.searchParams.append('scope', scope)
    const headers = password === undefined ? {} : { authorization: formatBasic(password) }
    return await readToken(await send({ url, headers }, onRedirect), realm)
  } catch (error) {
    const noGet = error instanceof ResponseError && (error.status === 404 || error.status === 405)
    if (!noGet || password === undefined) throw error
    return post(send, realm, query, { grant_type: 'password', ...password })
  }
}

async function post(
  send: SendChecked,
  realm: URL,
  { service, scopes }: TokenQuery,
  secrets: Readonly<Record<string, string>>,
): Promise<Token> {
  const form = new URLSearchParams({
    ...secrets,
    client_id: CLIENT_ID,
    service: service ?? realm.host,
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
  })
  const response = await send(
    {
      method: 'POST',
      url: realm,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: encodeUtf8(form.toString()),
    },
    (from, to) => {
      if (from.origin !== to.origin)
        throw new SpindleError(
          'ERR_UNAUTHORIZED',
          `the token service ${redactUrl(from)} redirects to ${redactUrl(to)}: credentials are not sent there`,
        )
    },
  )
  return readToken(response, realm)
}

function parseRealm(text: string, registry: URL): URL {
  let realm: URL
  try {
    realm = new URL(text)
  } catch (cause) {
    throw new SpindleError(
      'ERR_UNAUTHORIZED',
      `${registry.host} requires a token, but names no valid token service; check the address of the registry`,
      { cause },
    )
  }
  assertRealm(realm, registry)
  return realm
}

async function readToken(response: Response, realm: URL): Promise<Token> {
  const what = `the response of the token service ${redactUrl(realm)}`
  const answer = parseJson(await readBody(response, MAX_TOKEN_BYTES, what), what)
  const {
    token,
    access_token: accessToken,
    expires_in: expiresIn,
    issued_at: issuedAt,
  } = isJsonObject(answer) ? answer : {}
  const value = typeof token === 'string' && token !== '' ? token : accessToken
  // The token is sent in a header.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value))
    throw new SpindleError('ERR_CONTENT_INVALID', `${what} has no token`)
  const life = (typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn : DEFAULT_LIFE) * 1000
  const now = Date.now()
  const age = typeof issuedAt === 'string' ? now - Date.parse(issuedAt) : 0
  // An age of more than half the lifetime means that the two clocks differ.
  return { value, renewAt: now + 0.8 * life - (age > 0 && age < life / 2 ? age : 0) }
}
