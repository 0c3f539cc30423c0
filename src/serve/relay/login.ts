import { createAuth } from '../../http/auth.ts'
import type { Auth } from '../../http/auth.ts'
import { discard } from '../../http/response-body.ts'
import { responseError } from '../../http/response-error.ts'
import type { Secrets } from '../../http/secrets.ts'
import type { AuthScope, Keychain } from '../../types.ts'
import { Refusal } from '../http/refusal.ts'
import { isRealmOf } from './registries.ts'
import type { RelayRegistry } from './registries.ts'
import { unknownRealm } from './token.ts'
import type { SendUpstream } from './upstream.ts'

/** Authenticates with the relay's own credentials. Their tokens are never sent to a client. */
interface RelayLogin {
  /** The first `Authorization` header; `undefined` if the relay has no credentials for the registry. */
  begin(
    registry: RelayRegistry,
    scopes: readonly AuthScope[],
    signal: AbortSignal,
  ): Promise<{ readonly authorization: string | undefined } | undefined>
  /** A new header after a 401; `undefined` if there is none. */
  again(
    registry: RelayRegistry,
    scopes: readonly AuthScope[],
    response: Response,
    sent: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined>
}

/**
 * Creates the login of a relay.
 * @param secrets Collects what is sent, to redact it in responses.
 */
export function createRelayLogin(
  send: SendUpstream,
  credentials: Keychain,
  secrets: Secrets,
): RelayLogin {
  const auths = new Map<string, Auth>()

  const authOf = (registry: RelayRegistry): Auth => {
    const known = auths.get(registry.name)
    if (known !== undefined) return known
    const auth = createAuth(async ({ method = 'GET', url, headers, body }) => {
      const realm = new URL(url)
      if (!isRealmOf(realm, registry)) throw unknownRealm(registry)
      const sent = new Headers(headers)
      const form = body instanceof Uint8Array ? body : undefined
      secrets.addRequest(sent, form, sent.get('content-type') ?? undefined)
      const { response } = await send({
        registry,
        method,
        url: realm,
        headers: sent,
        sameOrigin: true,
        ...(form !== undefined && { body: form }),
      })
      if (response.ok) return response
      throw await responseError(response, method, realm, { redact: secrets.redact })
    }, credentials)
    auths.set(registry.name, auth)
    return auth
  }

  return {
    async begin(registry, scopes, signal) {
      if ((await credentials(scopes[0]!)) === undefined) return undefined
      const auth = authOf(registry)
      try {
        const known = await auth.begin(registry.base, scopes, signal)
        if (known !== undefined) return { authorization: known }
        // Request the challenge in advance, because a streamed body cannot be sent twice.
        const { response } = await send({
          registry,
          method: 'GET',
          url: new URL('/v2/', registry.base),
          headers: new Headers(),
          sameOrigin: true,
          signal,
        })
        discard(response)
        const challenges = response.headers.get('www-authenticate')
        if (response.status !== 401 || challenges === null) return { authorization: undefined }
        return {
          authorization: await auth.answer(
            registry.base,
            scopes,
            { challenges, sent: undefined },
            signal,
          ),
        }
      } catch (cause) {
        throw failed(registry, cause)
      }
    },
    async again(registry, scopes, response, sent, signal) {
      const challenges = response.headers.get('www-authenticate')
      if (challenges === null) return undefined
      try {
        return await authOf(registry).answer(registry.base, scopes, { challenges, sent }, signal)
      } catch (cause) {
        throw failed(registry, cause)
      }
    },
  }
}

function failed({ name }: RelayRegistry, cause: unknown): Refusal {
  if (cause instanceof Refusal) return cause
  return refusedLogin(name, cause)
}

/** Not 401, because the client cannot provide other credentials. */
export function refusedLogin(name: string, cause?: unknown): Refusal {
  return new Refusal(
    403,
    {
      code: 'DENIED',
      message: `${name} does not allow this request with the credentials of the relay`,
    },
    { cause },
  )
}
