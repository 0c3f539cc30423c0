import { SpindleError } from '../errors.ts'
import { isJsonObject, parseJson } from '../bytes/json.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import { MAX_TOKEN_BYTES } from '../http/token.ts'
import { createTransport } from '../http/transport.ts'
import { readBody } from '../http/response-body.ts'
import type { Credentials, OperationOptions, TransportOptions } from '../types.ts'

/** Options of `exchangeAzureToken`. */
export interface AzureExchangeOptions
  extends Pick<OperationOptions, 'signal'>, Omit<TransportOptions, 'credentials'> {
  /** Directory (tenant) of the token; needed if the registry accepts several. */
  tenant?: string
}

/**
 * Exchanges a Microsoft Entra access token for credentials of one Azure registry.
 *
 * Exported from `spindle/repository`.
 *
 * @example In a pipeline with a federated identity
 * ```ts
 * const credentials = await exchangeAzureToken('team.azurecr.io', accessToken)
 * await push(app, 'team.azurecr.io/hello:1', { credentials })
 * ```
 * @throws `ERR_UNAUTHORIZED`, `ERR_CONTENT_INVALID`, `ERR_NETWORK`
 * @see {@link https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md Azure Container Registry, OAuth}
 */
export async function exchangeAzureToken(
  registry: string,
  accessToken: string,
  { signal, tenant, ...options }: AzureExchangeOptions = {},
): Promise<Credentials> {
  const { fetch, protocol } = createTransport(options)
  const response = await fetch({
    method: 'POST',
    url: `${await protocol(registry, { signal })}//${registry}/oauth2/exchange`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: encodeUtf8(
      new URLSearchParams({
        grant_type: 'access_token',
        service: registry,
        access_token: accessToken,
        ...(tenant !== undefined && { tenant }),
      }).toString(),
    ),
    // A redirect to another origin would disclose the token.
    sameOrigin: true,
    signal,
  })
  const what = `the response of ${registry} to the token exchange`
  const answer = parseJson(await readBody(response, MAX_TOKEN_BYTES, what, signal), what)
  const refreshToken = isJsonObject(answer) ? answer['refresh_token'] : undefined
  if (typeof refreshToken !== 'string' || refreshToken === '')
    throw new SpindleError('ERR_CONTENT_INVALID', `${what} has no refresh token`)
  return { refreshToken }
}
