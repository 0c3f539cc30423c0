import { bodyOf } from '../../bytes/request-body.ts'
import { MAX_TOKEN_BYTES } from '../../http/token.ts'
import { readBounded } from '../../bytes/stream.ts'
import { discard } from '../../http/response-body.ts'
import { Refusal } from '../http/refusal.ts'
import { clientHeaders } from './headers.ts'
import { isRealmOf } from './registries.ts'
import type { RelayRegistry } from './registries.ts'
import type { SendUpstream } from './upstream.ts'

/** Largest form: scopes and a refresh token. */
const MAX_FORM_BYTES = 64 * 1024
const PARAMETERS = ['service', 'scope', 'account', 'client_id', 'offline_token']

/**
 * Forwards a token request of a client, with the client's credentials, to the token service.
 * @see {@link https://distribution.github.io/distribution/spec/auth/token/ Token Authentication}
 */
export async function relayToken(
  send: SendUpstream,
  registry: RelayRegistry,
  realm: URL,
  request: Request,
): Promise<Response> {
  // Check again: the configuration may have changed since the realm was sealed.
  if (!isRealmOf(realm, registry)) throw unknownRealm(registry)
  const url = new URL(realm)
  const query = new URL(request.url).searchParams
  for (const name of PARAMETERS)
    for (const value of query.getAll(name)) url.searchParams.append(name, value)
  const headers = new Headers({ accept: 'application/json', 'accept-encoding': 'identity' })
  const authorization = request.headers.get('authorization')
  if (authorization !== null) headers.set('authorization', authorization)
  const isPost = request.method === 'POST'
  if (isPost) headers.set('content-type', 'application/x-www-form-urlencoded')
  const { response } = await send({
    registry,
    method: request.method,
    url,
    headers,
    signal: request.signal,
    // Never forward the client's password to another origin.
    sameOrigin: true,
    ...(isPost && { body: await readForm(request) }),
  })
  if (response.status >= 300 && response.status < 400) {
    discard(response)
    throw unknownRealm(registry)
  }
  const bytes = await readBounded(
    response.body ?? new Uint8Array(),
    MAX_TOKEN_BYTES,
    `the answer of the token service of ${registry.name}`,
  ).catch((cause: unknown) => {
    throw new Refusal(
      502,
      {
        code: 'UNSUPPORTED',
        message: `the token service of ${registry.name} did not send a complete response: try again`,
      },
      { cause },
    )
  })
  return new Response(bytes, { status: response.status, headers: clientHeaders(response, false) })
}

async function readForm(request: Request): Promise<Uint8Array> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/x-www-form-urlencoded')
    throw new Refusal(400, {
      code: 'UNSUPPORTED',
      message: 'a token request should have the type application/x-www-form-urlencoded',
    })
  return readBounded(bodyOf(request) ?? new Uint8Array(), MAX_FORM_BYTES, 'the form').catch(
    (cause: unknown) => {
      throw new Refusal(
        413,
        { code: 'SIZE_INVALID', message: `the form is longer than ${MAX_FORM_BYTES} bytes` },
        { cause },
      )
    },
  )
}

export function unknownRealm({ name }: RelayRegistry): Refusal {
  return new Refusal(403, {
    code: 'DENIED',
    message: `${name} uses a token service that this relay does not allow: its operator can add it to "realms"`,
  })
}
