import { ResponseError, SpindleError } from '../errors.ts'
import { formatBase64 } from '../bytes/base64.ts'
import { isJsonObject, parseJson } from '../bytes/json.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import type { Credentials, TransportRequest } from '../types.ts'
import { assertRealm } from './realm.ts'
import { redactUrl } from './redact.ts'
import { readWhole } from './response-body.ts'

/** Real tokens have some kilobytes; one that listed every right of an organisation would fit too. */
export const MAX_TOKEN_BYTES: number = 128 * 1024
const DEFAULT_LIFE = 60
const CLIENT_ID = 'spindle'
/** As a user name: the password is a refresh token. Docker's config.json and helpers say it so. */
const TOKEN_USER = '<token>'

export interface Token {
  readonly value: string
  /** Milliseconds since 1970 from which on a new one is better asked for. */
  readonly renewAt: number
}

interface TokenQuery {
  readonly realm: string
  readonly service: string | undefined
  readonly scopes: readonly string[]
  readonly registry: URL
  readonly credentials: Credentials | undefined
}

/** Sends a request whose redirects are looked at before they are followed. */
export type SendChecked = (
  request: TransportRequest,
  onRedirect: (from: URL, to: URL) => void,
) => Promise<Response>

export function formatBasic({
  username,
  password,
}: {
  username: string
  password: string
}): string {
  return `Basic ${formatBase64(encodeUtf8(`${username}:${password}`))}`
}

/** The refresh token among credentials, under either of its names. */
function refreshTokenOf(credentials: Credentials | undefined): string | undefined {
  if (credentials === undefined || 'token' in credentials) return undefined
  if ('refreshToken' in credentials) return credentials.refreshToken
  return credentials.username === TOKEN_USER ? credentials.password : undefined
}

/**
 * Asks a token service for a token: by GET, with a password or anonymously; by POST with a refresh
 * token, or where GET is not to be had.
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
          `the token service ${redactUrl(from)} redirects to ${redactUrl(to)}: credentials are not sent on`,
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
      `${registry.host} asks for a token, but names no service to get it from; check the address of the registry`,
      { cause },
    )
  }
  assertRealm(realm, registry)
  return realm
}

async function readToken(response: Response, realm: URL): Promise<Token> {
  const what = `the answer of the token service ${redactUrl(realm)}`
  const answer = parseJson(await readWhole(response, MAX_TOKEN_BYTES, what), what)
  const {
    token,
    access_token: accessToken,
    expires_in: expiresIn,
    issued_at: issuedAt,
  } = isJsonObject(answer) ? answer : {}
  const value = typeof token === 'string' && token !== '' ? token : accessToken
  // What is sent as a header must be one.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value))
    throw new SpindleError('ERR_CONTENT_INVALID', `${what} has no token`)
  const life = (typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn : DEFAULT_LIFE) * 1000
  const now = Date.now()
  const age = typeof issuedAt === 'string' ? now - Date.parse(issuedAt) : 0
  // An age beyond half of its life says more of the two clocks than of the token.
  return { value, renewAt: now + 0.8 * life - (age > 0 && age < life / 2 ? age : 0) }
}
