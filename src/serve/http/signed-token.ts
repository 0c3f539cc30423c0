import { formatBase64Url, parseBase64Url } from '../../bytes/base64.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import type { JsonObject } from '../../bytes/json.ts'
import { encodeUtf8 } from '../../bytes/text.ts'

const HEADER = formatBase64Url(encodeUtf8('{"alg":"HS256","typ":"JWT"}'))
/** Shortest secret: as long as the hash, because shorter ones can be guessed. @see RFC 7518, 3.2 */
const MIN_SECRET_BYTES = 32

/** Signs and verifies JSON Web Tokens with one secret. */
interface TokenSigner {
  sign(claims: JsonObject): Promise<string>
  /** The claims of a valid, unexpired token; otherwise `undefined`. */
  verify(token: string): Promise<JsonObject | undefined>
}

/**
 * Creates a signer for JSON Web Tokens with HMAC-SHA-256. Accepts no other algorithm in a token's header.
 * @param secret At least 32 bytes. Default: random, so that tokens become invalid when the process ends.
 */
export function createTokenSigner(secret: Uint8Array | undefined): TokenSigner {
  if (secret !== undefined && secret.length < MIN_SECRET_BYTES) {
    throw new TypeError(
      `"secret" should have at least ${MIN_SECRET_BYTES} bytes and has ${secret.length}`,
    )
  }
  // Created on first use: Cloudflare Workers provide no random values outside of requests.
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
