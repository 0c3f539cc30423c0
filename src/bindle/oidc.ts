import { SpindleError } from '../errors.ts'
import { parseBase64Url } from '../bytes/base64.ts'
import { isJsonObject, parseJson } from '../bytes/json.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import { lifetimeOf, pollDeviceCode } from '../http/device-code.ts'
import { redactText } from '../http/redact.ts'
import { readBody } from '../http/response-body.ts'
import type { Transport } from '../types.ts'
import { readAnswer, redactBy } from './answer.ts'
import type { BindleClient } from './client.ts'
import type { BindleAuthorization } from './credentials.ts'
import { integer, optional, reader, required, text } from '../bytes/fields.ts'
import { formatToml, parseToml } from '../bytes/toml.ts'

/** What a login leaves behind. It is a secret: keep it where only its user can read. */
export interface OidcTokens {
  /** Sent as the bearer token: Bindle servers take this one, not the access token. */
  readonly idToken: string
  readonly accessToken: string
  readonly refreshToken: string
  readonly clientId: string
  readonly tokenUrl: string
  readonly tokenType?: string
  readonly issuer?: string
}

export interface BindleLoginOptions {
  transport: Transport
  signal?: AbortSignal | undefined
  /** Shown to the user: where to go, and the code to type there. */
  onCode: (prompt: {
    readonly url: string
    readonly code: string
    readonly completeUrl?: string
    readonly expiresIn: number
  }) => void | Promise<void>
  /** Seconds to wait, for tests. Default: real time. */
  wait?: (seconds: number, signal?: AbortSignal) => Promise<void>
}

const MAX_TOKEN_BYTES = 128 * 1024
/** Renewed so long before it ends, in seconds. */
const EARLY = 60

/**
 * Logs in by the device flow of the server's identity provider.
 *
 * Exported from `spindle/bindle`.
 * @throws `ERR_UNAUTHORIZED` when the user declines or lets the code expire; `ERR_RESPONSE`
 * @see RFC 8628, and Bindle, Protocol Specification, Login
 */
export async function loginBindle(
  client: BindleClient,
  options: BindleLoginOptions,
): Promise<OidcTokens> {
  const { transport, signal, onCode } = options
  const url = new URL('login?provider=spindle', client.server)
  const response = await transport.fetch({
    url,
    headers: { accept: 'application/json' },
    expect: [400, 401, 403, 404, 502],
    ...(signal === undefined ? {} : { signal }),
  })
  const { value } = await readAnswer(
    response,
    { method: 'GET', url, what: 'the login', limit: MAX_TOKEN_BYTES, redact: redactBy(transport) },
    signal,
  )
  const fields = reader(value, 'the login')
  const deviceCode = required(fields, 'device_code', text)
  const clientId = required(fields, 'client_id', text)
  const tokenUrl = assertTokenUrl(required(fields, 'token_url', text))
  const expiresIn = lifetimeOf(required(fields, 'expires_in', integer))
  const { interval } = optional(fields, 'interval', integer)
  const { verification_uri_complete: completeUrl } = optional(
    fields,
    'verification_uri_complete',
    text,
  )
  await onCode({
    url: required(fields, 'verification_uri', text),
    code: required(fields, 'user_code', text),
    expiresIn,
    ...(completeUrl === undefined ? {} : { completeUrl }),
  })
  const answer = await pollDeviceCode({
    expiresIn,
    interval,
    signal,
    wait: options.wait,
    ask: () =>
      askTokens(
        transport,
        tokenUrl,
        {
          grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
          device_code: deviceCode,
          client_id: clientId,
        },
        signal,
      ),
    errorOf: ({ error }) => error,
  })
  if (answer !== undefined) return tokensOf(answer, { clientId, tokenUrl }, redactBy(transport))
  throw new SpindleError('ERR_UNAUTHORIZED', 'nobody confirmed the login in time; start it again')
}

/**
 * Credentials that renew themselves a minute before they end.
 *
 * Exported from `spindle/bindle`.
 * @param onRefresh Keeps the new tokens: the old refresh token may be void from then on.
 */
export function createOidcCredentials(
  tokens: OidcTokens,
  onRefresh?: (tokens: OidcTokens) => void | Promise<void>,
): BindleAuthorization {
  let current = tokens
  // One renewal for all requests that wait for it: refresh tokens are good once.
  let renewal: Promise<void> | undefined
  return async ({ transport, signal }) => {
    if (expiryOf(current.idToken) - EARLY <= Date.now() / 1000) {
      renewal ??= renew(transport, current, signal)
        .then(async (fresh) => {
          current = fresh
          await onRefresh?.(fresh)
        })
        .finally(() => {
          renewal = undefined
        })
      await renewal
    }
    return `Bearer ${current.idToken}`
  }
}

async function renew(
  transport: Transport,
  tokens: OidcTokens,
  signal: AbortSignal | undefined,
): Promise<OidcTokens> {
  const { refreshToken, clientId, tokenUrl, issuer } = tokens
  const answer = await askTokens(
    transport,
    tokenUrl,
    { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: clientId },
    signal,
  )
  return tokensOf(
    answer,
    { clientId, tokenUrl, ...(issuer === undefined ? {} : { issuer }) },
    redactBy(transport),
  )
}

async function askTokens(
  transport: Transport,
  tokenUrl: string,
  form: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const response = await transport.fetch({
    method: 'POST',
    url: assertTokenUrl(tokenUrl),
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: encodeUtf8(String(new URLSearchParams(form))),
    expect: [400, 401, 403],
    once: true,
    // A provider that sends elsewhere would send the secrets in the form along.
    sameOrigin: true,
    ...(signal === undefined ? {} : { signal }),
  })
  const value = parseJson(
    await readBody(response, MAX_TOKEN_BYTES, 'the token answer', signal),
    'the token answer',
  )
  if (!isJsonObject(value))
    throw new SpindleError('ERR_CONTENT_INVALID', 'the token answer is no object')
  return value
}

/** Secrets are posted there: in the clear to nobody but this machine. */
function assertTokenUrl(tokenUrl: string): string {
  const url = URL.canParse(tokenUrl) ? new URL(tokenUrl) : undefined
  const loopback =
    url !== undefined && /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  if (
    url === undefined ||
    url.username !== '' ||
    (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback))
  ) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      'the server names a token endpoint that is not reached over https',
    )
  }
  return tokenUrl
}

function tokensOf(
  answer: Readonly<Record<string, unknown>>,
  known: Pick<OidcTokens, 'clientId' | 'tokenUrl' | 'issuer'>,
  redact: (text: string) => string,
): OidcTokens {
  if (typeof answer['error'] === 'string') {
    const description =
      typeof answer['error_description'] === 'string'
        ? ` (${redactText(redact(answer['error_description']))})`
        : ''
    throw new SpindleError(
      'ERR_UNAUTHORIZED',
      `the identity provider refused: ${redactText(redact(answer['error']))}${description}; log in again`,
    )
  }
  const {
    id_token: idToken,
    refresh_token: refreshToken,
    access_token: accessToken,
    token_type: tokenType,
  } = answer
  if (typeof idToken !== 'string' || typeof refreshToken !== 'string') {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      'the identity provider gave no id_token and refresh_token; it must allow the scopes openid and offline_access',
    )
  }
  return {
    ...known,
    idToken,
    refreshToken,
    accessToken: typeof accessToken === 'string' ? accessToken : '',
    ...(typeof tokenType === 'string' ? { tokenType } : {}),
  }
}

/** UNIX seconds; 0, which is long ago, for a token that can't be read. */
function expiryOf(token: string): number {
  const payload = parseBase64Url(token.split('.')[1] ?? '') ?? new Uint8Array()
  try {
    const claims = parseJson(payload, 'the claims')
    return isJsonObject(claims) && typeof claims['exp'] === 'number' ? claims['exp'] : 0
  } catch {
    return 0
  }
}

/** Reads `.token` as the bindle CLI keeps it. @throws `ERR_CONTENT_INVALID` without any of its secrets */
export function parseTokenFile(source: string | Uint8Array, what = 'the token file'): OidcTokens {
  try {
    const fields = reader(parseToml(source, what), what)
    const { issuer } = optional(fields, 'issuer', text)
    return {
      idToken: required(fields, 'id_token', text),
      accessToken: required(fields, 'access_token', text),
      refreshToken: required(fields, 'refresh_token', text),
      clientId: optional(fields, 'client_id', text).client_id ?? '',
      tokenUrl: optional(fields, 'token_url', text).token_url ?? '',
      tokenType: required(fields, 'token_type', text),
      ...(issuer === undefined || issuer === '' ? {} : { issuer }),
    }
  } catch (error) {
    const message =
      error instanceof SpindleError && error.cause === undefined
        ? error.message
        : `${what} is not TOML`
    throw new SpindleError('ERR_CONTENT_INVALID', `${message}; log in again`)
  }
}

/** Writes `.token` as the bindle CLI reads it. */
export function formatTokenFile(tokens: OidcTokens): Uint8Array<ArrayBuffer> {
  return formatToml({
    access_token: tokens.accessToken,
    token_type: tokens.tokenType ?? 'bearer',
    refresh_token: tokens.refreshToken,
    id_token: tokens.idToken,
    issuer: tokens.issuer ?? '',
    client_id: tokens.clientId,
    token_url: tokens.tokenUrl,
  })
}
