/** An OpenID Connect issuer that logs people in on another device. @see https://www.rfc-editor.org/rfc/rfc8628 */
import { formatBase64Url } from '../../src/bytes/base64.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'

export interface IdentityProvider {
  /** Answers below the issuer's address. */
  handle(request: Request): Promise<Response>
}

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

const refuse = (error: string): Response => Response.json({ error }, { status: 400 })

/**
 * The person logs in between the first question for the token and the second.
 *
 * Strict as Dex: only the client that is known, proof keys by S256 alone, a code for one login.
 */
export function createIdentityProvider(
  issuer: string,
  clientId: string,
  issueToken: () => Promise<string>,
): IdentityProvider {
  const logins = new Map<string, { challenge: string; questions: number }>()

  const startLogin = (form: URLSearchParams): Response => {
    const challenge = form.get('code_challenge')
    if (form.get('client_id') !== clientId) return refuse('invalid_client')
    if (form.get('code_challenge_method') !== 'S256' || challenge === null)
      return refuse('invalid_request')
    if (!(form.get('scope') ?? '').split(' ').includes('openid')) return refuse('invalid_scope')
    const code = crypto.randomUUID()
    logins.set(code, { challenge, questions: 0 })
    return Response.json({
      device_code: code,
      user_code: 'ABCD-EFGH',
      verification_uri: `${issuer}/device`,
      verification_uri_complete: `${issuer}/device?user_code=ABCD-EFGH`,
      expires_in: 300,
      interval: 0,
    })
  }

  const answerToken = async (form: URLSearchParams): Promise<Response> => {
    const code = form.get('device_code') ?? ''
    const login = logins.get(code)
    if (form.get('grant_type') !== GRANT) return refuse('unsupported_grant_type')
    if (login === undefined || form.get('client_id') !== clientId) return refuse('invalid_grant')
    const verifier = encodeUtf8(form.get('code_verifier') ?? '')
    if (formatBase64Url(await rawDigestOf(verifier)) !== login.challenge)
      return refuse('invalid_grant')
    if (login.questions++ === 0) return refuse('authorization_pending')
    logins.delete(code)
    return Response.json({ id_token: await issueToken(), token_type: 'bearer' })
  }

  return {
    async handle(request) {
      const path = request.url.slice(issuer.length)
      if (request.method === 'GET' && path === '/.well-known/openid-configuration') {
        return Response.json({
          issuer,
          device_authorization_endpoint: `${issuer}/device/code`,
          token_endpoint: `${issuer}/token`,
        })
      }
      if (request.method !== 'POST') return Response.json({ error: 'not_found' }, { status: 404 })
      const form = new URLSearchParams(await request.text())
      if (path === '/device/code') return startLogin(form)
      if (path === '/token') return answerToken(form)
      return Response.json({ error: 'not_found' }, { status: 404 })
    },
  }
}
