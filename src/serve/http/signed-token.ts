import { formatBase64Url, parseBase64Url } from '../../bytes/base64.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import type { JsonObject } from '../../bytes/json.ts'
import { encodeUtf8 } from '../../bytes/text.ts'

const HEADER = formatBase64Url(encodeUtf8('{"alg":"HS256","typ":"JWT"}'))
/** As long as the hash: shorter secrets can be guessed. @see RFC 7518, 3.2 */
const MIN_SECRET_BYTES = 32

/** Signs claims so that whoever has the secret can tell that they are its own. */
interface TokenSigner {
  sign(claims: JsonObject): Promise<string>
  /** The claims of a token of this signer that is not out of date; else `undefined`. */
  verify(token: string): Promise<JsonObject | undefined>
}

/**
 * JSON Web Tokens with HMAC-SHA-256 over WebCrypto: one algorithm, so that a token can't choose.
 * @param secret At least 32 bytes; without one a random one is made, and tokens end with the process.
 */
export function createTokenSigner(secret: Uint8Array | undefined): TokenSigner {
  if (secret !== undefined && secret.length < MIN_SECRET_BYTES) {
    throw new TypeError(`"secret" must have at least ${MIN_SECRET_BYTES} bytes`)
  }
  // On first use: Workers allow no randomness before a request.
  let key: Promise<Awaited<ReturnType<typeof importKey>>> | undefined
  const keyOf = (): ReturnType<typeof importKey> =>
    (key ??= importKey(secret ?? crypto.getRandomValues(new Uint8Array(MIN_SECRET_BYTES))))
  return {
    async sign(claims) {
      const content = `${HEADER}.${formatBase64Url(encodeUtf8(JSON.stringify(claims)))}`
      const signature = await crypto.subtle.sign('HMAC', await keyOf(), encodeUtf8(content))
      return `${content}.${formatBase64Url(new Uint8Array(signature))}`
    },
    async verify(token) {
      const [header, payload, signature, ...rest] = token.split('.')
      if (header !== HEADER || payload === undefined || signature === undefined || rest.length > 0)
        return undefined
      const bytes = parseBase64Url(signature)
      if (bytes === undefined) return undefined
      const content = encodeUtf8(`${header}.${payload}`)
      if (!(await crypto.subtle.verify('HMAC', await keyOf(), bytes, content))) return undefined
      const claims = parseClaims(payload)
      const now = Date.now() / 1000
      if (claims === undefined || typeof claims['exp'] !== 'number' || claims['exp'] <= now)
        return undefined
      return claims
    },
  }
}

function parseClaims(payload: string): JsonObject | undefined {
  const bytes = parseBase64Url(payload)
  if (bytes === undefined) return undefined
  const claims = parseJson(bytes, 'the claims')
  return isJsonObject(claims) ? claims : undefined
}

function importKey(secret: Uint8Array): ReturnType<typeof crypto.subtle.importKey> {
  return crypto.subtle.importKey(
    'raw',
    secret as Uint8Array<ArrayBuffer>,
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['sign', 'verify'],
  )
}
