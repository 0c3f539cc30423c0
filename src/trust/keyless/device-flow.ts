/** Requests an identity token with the device authorization grant. @see https://www.rfc-editor.org/rfc/rfc8628 */
import { formatBase64Url } from '../../bytes/base64.ts'
import { rawDigestOf } from '../../bytes/digest.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import { lifetimeOf, pollDeviceCode } from '../../http/device-code.ts'
import { readTokenJson } from './identity-token.ts'
import { attempt } from '../keys/public-key.ts'
import { callService, type ServiceOptions } from '../wire/service-request.ts'
import type { Field } from '../wire/wire-json.ts'

/** The code and address to show to the user. */
export interface DevicePrompt {
  /** Code that the user enters. */
  readonly userCode: string
  /** Page where the user enters the code; an https URL. */
  readonly verificationUri: string
  /** The same page with the code filled in; absent if the issuer returns none. */
  readonly verificationUriComplete?: string
  /** Time at which the code expires. */
  readonly expiresAt: Date
}

/** Options of `requestIdentityToken`. */
export interface DeviceFlowOptions extends ServiceOptions {
  /** Shows the code to the user. Called once; polling continues meanwhile. */
  prompt: (prompt: DevicePrompt) => void
  /** URL of the OpenID Connect issuer. Default: the public-good instance. */
  issuer?: string
  /** OAuth client identifier. Default `sigstore`. */
  clientId?: string
  /** Waits between polls, in seconds; for tests. Default: real time. */
  wait?: (seconds: number, signal?: AbortSignal) => Promise<void>
}

const FORM = 'application/x-www-form-urlencoded'

/**
 * Lets the user log in on any device, and resolves with an identity token.
 *
 * Exported from `spindle/keyless`.
 *
 * @example From a terminal
 * ```ts
 * const identityToken = await requestIdentityToken({
 *   prompt: ({ verificationUri, userCode }) => console.log(`Open ${verificationUri} and enter ${userCode}`),
 * })
 * ```
 * @throws `ERR_CREDENTIALS_INVALID` when the user refuses; `ERR_TIMEOUT` when the code expires;
 * `ERR_CONTENT_INVALID` for an invalid response; `ResponseError`, `ERR_NETWORK`.
 */
export async function requestIdentityToken(options: DeviceFlowOptions): Promise<string> {
  const {
    prompt,
    issuer = 'https://oauth2.sigstore.dev/auth',
    clientId = 'sigstore',
    wait,
    ...service
  } = options
  const { bytes } = await callService(
    { method: 'GET', url: `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration` },
    service,
  )
  const discovery = readTokenJson(bytes, 'the discovery document')
  if (discovery.get('issuer').string() !== issuer)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      'the discovery document names another issuer: check the address of the issuer',
    )
  const [deviceUrl, tokenUrl] = [
    discovery.get('device_authorization_endpoint'),
    discovery.get('token_endpoint'),
  ].map(httpsOf) as [string, string]

  const verifier = formatBase64Url(crypto.getRandomValues(new Uint8Array(32)))
  const scope = 'openid email'
  const challenge = formatBase64Url(await rawDigestOf(encodeUtf8(verifier)))
  const start = {
    client_id: clientId,
    scope,
    code_challenge_method: 'S256',
    code_challenge: challenge,
  }
  const started = await post(deviceUrl, start, service)
  const device = readTokenJson(started.bytes, 'the device code')
  const complete = device.get('verification_uri_complete').optional()
  const lifetime = lifetimeOf(device.get('expires_in').count())
  const interval = device.get('interval').optional()?.count()
  const expiresAt = new Date(Date.now() + lifetime * 1000)
  prompt({
    userCode: device.get('user_code').string(),
    verificationUri: httpsOf(device.get('verification_uri')),
    ...(complete !== undefined && { verificationUriComplete: httpsOf(complete) }),
    expiresAt,
  })

  const question = {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: device.get('device_code').string(),
    client_id: clientId,
    scope,
    code_verifier: verifier,
  }
  const answer = await pollDeviceCode({
    expiresIn: lifetime,
    interval,
    signal: service.signal,
    wait,
    async ask() {
      const { bytes, status, redact } = await post(tokenUrl, question, service, [400, 401, 403])
      return { json: readTokenJson(bytes, "the issuer's answer"), status, redact }
    },
    errorOf: ({ json, status }) => (status < 400 ? undefined : json.get('error').value),
  })
  if (answer === undefined)
    throw new SpindleError('ERR_TIMEOUT', 'the code expired before it was entered: start again')
  if (answer.status < 400) return answer.json.get('id_token').string()
  const problem = answer.json.get('error').value
  throw new SpindleError(
    'ERR_CREDENTIALS_INVALID',
    problem === 'access_denied'
      ? 'the login was refused: start again and allow it'
      : `the issuer rejected the login (${answer.redact(String(problem))}): check its address and the client ID`,
  )
}

function post(
  url: string,
  fields: Record<string, string>,
  service: ServiceOptions,
  expect: readonly number[] = [],
): ReturnType<typeof callService> {
  return callService(
    {
      method: 'POST',
      url,
      contentType: FORM,
      body: new URLSearchParams(fields).toString(),
      expect,
    },
    service,
  )
}

/** The normalized URL: https only, and free of control characters, so that it is safe to display. */
function httpsOf(field: Field): string {
  const url = attempt(() => new URL(field.string()))
  if (url?.protocol !== 'https:')
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `${field.path} is not an https URL: check the address of the issuer`,
    )
  return url.href
}
