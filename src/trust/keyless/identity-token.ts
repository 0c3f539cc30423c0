/** OpenID Connect identity tokens: read, never verified; that is Fulcio's part. */
import { parseBase64Url } from '../../bytes/base64.ts'
import { parseJson } from '../../bytes/json.ts'
import { SpindleError } from '../../errors.ts'
import { attempt } from '../keys/public-key.ts'
import { readField, type Field } from '../wire/wire-json.ts'

interface IdentityClaims {
  /** What the proof of possession is over: the e-mail address, else the subject. */
  readonly subject: string
  readonly email?: string
}

/** A token that expires sooner is not worth sending. */
const MIN_LIFETIME_MS = 5000
const MAX_TOKEN_CHARS: number = 64 * 1024

/** @throws `ERR_CREDENTIALS_INVALID`; messages never quote the token. */
export function parseIdentityToken(
  token: string,
  audience: string,
  now: number = Date.now(),
): IdentityClaims {
  try {
    const parts = token.length > MAX_TOKEN_CHARS ? [] : token.split('.')
    const payload = parts.length === 3 ? parseBase64Url(parts[1]!) : undefined
    if (payload === undefined) throw invalid('it is no JSON Web Token')
    const claims = readTokenJson(payload, 'claims')
    if (
      Number(claims.get('exp').value) * 1000 < now + MIN_LIFETIME_MS ||
      typeof claims.get('exp').value !== 'number'
    )
      throw invalid('it has expired: get a new one')
    const { value: wanted } = claims.get('aud')
    if (wanted !== audience && !(Array.isArray(wanted) && wanted.includes(audience)))
      throw invalid(`it is for another audience than "${audience}"`)
    const email = claims.get('email').optional()?.string()
    const verified = claims.get('email_verified').value
    if (email !== undefined && verified !== true && verified !== 'true')
      throw invalid('its issuer has not verified the e-mail address')
    return {
      subject: email ?? claims.get('sub').string(),
      ...(email !== undefined && { email }),
    }
  } catch (cause) {
    if (cause instanceof SpindleError && cause.code !== 'ERR_CREDENTIALS_INVALID')
      throw invalid(cause.message)
    throw cause
  }
}

/** JSON with a token in it, or of one. Engines quote text that is no JSON; nothing is said of it here. */
export function readTokenJson(bytes: Uint8Array, what: string): Field {
  return readField(
    attempt(() => parseJson(bytes, what)),
    what,
  )
}

function invalid(why: string): SpindleError {
  return new SpindleError('ERR_CREDENTIALS_INVALID', `the identity token can't be used: ${why}`)
}
