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
  /** Set for a request with the parameter `ns` (registry mirror). */
  readonly namespace?: string
}

/** Converts a registry's response for the client. @throws 403 for a redirect that is not allowed. */
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
  const rewrittenLocation = location === null ? undefined : await rewriteLocation(location, context)
  if (rewrittenLocation !== undefined) headers.set('Location', rewrittenLocation)
  // Redirects of reads were followed already. For writes, only 307 and 308 keep method and body.
  if (
    status >= 300 &&
    status < 400 &&
    status !== 304 &&
    !(rewrittenLocation !== undefined && status >= 307)
  )
    throw new Refusal(403, {
      code: 'DENIED',
      message: `${context.registry.name} redirects the request to an address that this relay does not follow`,
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
      message: `the response has ${length} bytes, more than the relay's limit of ${context.maxBytes}`,
    })
  if (length !== undefined) headers.set('Content-Length', String(length))
  if (method === 'HEAD' || response.body === null || status === 204 || status === 304) {
    discard(response)
    return new Response(null, { status, headers })
  }
  const { maxBytes, pace } = context
  return new Response(passBody(response.body, { maxBytes, pace, length }), { status, headers })
}
