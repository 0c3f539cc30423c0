/** Reads claims of OpenID Connect identity tokens. Does not verify them: Fulcio does. */
import { parseBase64Url } from '../../bytes/base64.ts'
import { parseJson } from '../../bytes/json.ts'
import { SpindleError } from '../../errors.ts'
import { attempt } from '../keys/public-key.ts'
import { readField, type Field } from '../wire/wire-json.ts'

interface IdentityClaims {
  /** The signed text of the proof of possession: the e-mail address, or else the subject. */
  readonly subject: string
  readonly email?: string
}

/** Shortest remaining lifetime: a token that expires sooner would be rejected by Fulcio. */
const MIN_LIFETIME_MS = 5000
const MAX_TOKEN_CHARS: number = 64 * 1024

/**
 * Reads the claims that signing needs, and checks expiry and audience.
 * @throws `ERR_CREDENTIALS_INVALID`; messages never quote the token.
 */
export function parseIdentityToken(
  token: string,
  audience: string,
  now: number = Date.now(),
): IdentityClaims {
  try {
    const parts = token.length > MAX_TOKEN_CHARS ? [] : token.split('.')
    const payload = parts.length === 3 ? parseBase64Url(parts[1]!) : undefined
    if (payload === undefined) throw invalid('it is not a JSON Web Token')
    const claims = readTokenJson(payload, 'claims')
    if (
      Number(claims.get('exp').value) * 1000 < now + MIN_LIFETIME_MS ||
      typeof claims.get('exp').value !== 'number'
    )
      throw invalid('it has expired: get a new one')
    const { value: wanted } = claims.get('aud')
    if (wanted !== audience && !(Array.isArray(wanted) && wanted.includes(audience)))
      throw invalid(`its audience is not "${audience}": request a token for that audience`)
    const email = claims.get('email').optional()?.string()
    const verified = claims.get('email_verified').value
    if (email !== undefined && verified !== true && verified !== 'true')
      throw invalid(
        'its issuer has not verified the e-mail address (`email_verified`): verify it there',
      )
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

/** Parses JSON that contains a token. Drops the parse error, because engines quote the text in it. */
export function readTokenJson(bytes: Uint8Array, what: string): Field {
  return readField(
    attempt(() => parseJson(bytes, what)),
    what,
  )
}

function invalid(why: string): SpindleError {
  return new SpindleError('ERR_CREDENTIALS_INVALID', `the identity token is invalid: ${why}`)
}
