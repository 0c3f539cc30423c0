import { bodyLength } from '../../http/content-coding.ts'
import { discard } from '../../http/response-body.ts'
import type { PaceLimits } from '../../http/timed-reader.ts'
import { Refusal } from '../http/refusal.ts'
import { passBody } from './body.ts'
import { clientHeaders } from './headers.ts'
import { rewriteChallenges, rewriteLink, rewriteLocation } from './rewrite.ts'
import type { RewriteContext } from './rewrite.ts'
import { unknownRealm } from './token.ts'

interface AnswerContext extends RewriteContext {
  readonly maxBytes: number
  readonly pace: PaceLimits
  /** Of a request by `ns`, as mirrors are asked. */
  readonly namespace?: string
}

/** A registry's answer as a client may see it. @throws 403 for one that leads where no client may go. */
export async function answerUpstream(
  response: Response,
  method: string,
  context: AnswerContext,
): Promise<Response> {
  try {
    return await rewrite(response, method, context)
  } catch (error) {
    discard(response)
    throw error
  }
}

async function rewrite(
  response: Response,
  method: string,
  context: AnswerContext,
): Promise<Response> {
  const { status } = response
  const headers = clientHeaders(
    response,
    context.route.kind === 'blob' && (status === 200 || status === 206),
  )
  const location = response.headers.get('location')
  const place = location === null ? undefined : await rewriteLocation(location, context)
  if (place !== undefined) headers.set('Location', place)
  // Reads were followed to their end; of a write only one that may be sent again as it is goes on.
  if (status >= 300 && status < 400 && status !== 304 && !(place !== undefined && status >= 307))
    throw new Refusal(403, {
      code: 'DENIED',
      message: `${context.registry.name} sends that somewhere else: not followed`,
    })
  const link = response.headers.get('link')
  const next = link === null ? undefined : rewriteLink(link, context)
  if (next !== undefined) headers.set('Link', next)
  const challenge = response.headers.get('www-authenticate')
  if (challenge !== null) {
    const rewritten = await rewriteChallenges(challenge, context)
    if (rewritten === undefined && status === 401) throw unknownRealm(context.registry)
    if (rewritten !== undefined) headers.set('WWW-Authenticate', rewritten)
  }
  if (context.namespace !== undefined) headers.set('OCI-Namespace', context.namespace)

  const length = bodyLength(response)
  if (length !== undefined && length > context.maxBytes)
    throw new Refusal(403, {
      code: 'SIZE_INVALID',
      message: `that has ${length} bytes, more than this relay hands on`,
    })
  if (length !== undefined) headers.set('Content-Length', String(length))
  if (method === 'HEAD' || response.body === null || status === 204 || status === 304) {
    discard(response)
    return new Response(null, { status, headers })
  }
  const { maxBytes, pace } = context
  return new Response(passBody(response.body, { maxBytes, pace, length }), { status, headers })
}
