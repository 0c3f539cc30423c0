import type { Exchange } from './exchanges.ts'
import type { WireRequest } from './channel.ts'

/**
 * An answer as the preview can show it. What the application really said is in the inspector.
 *
 * That pages of it don't want to be framed is left out: here they are, by somebody who asked for it.
 */
export function forFrame(
  response: Response,
  { isNavigation, method }: WireRequest,
  exchange: Pick<Exchange, 'path'>,
): Response {
  const { status, statusText } = response
  const headers = new Headers(response.headers)
  headers.delete('x-frame-options')
  const policy = headers.get('content-security-policy')
  if (policy !== null)
    headers.set(
      'content-security-policy',
      policy.replace(/(^|[;,])\s*frame-ancestors[^;,]*/gi, '$1'),
    )
  if (isNavigation === true && status >= 400 && response.body === null) {
    headers.set('content-type', 'text/plain; charset=utf-8')
    const text =
      status === 404
        ? `404: no route of the application answers ${method} ${exchange.path}.\nThe tab “App” lists its routes.`
        : `${status}: the application answered without a body.\nThe tab “Logs” may say why.`
    return new Response(text, { status, statusText, headers })
  }
  return new Response(response.body, { status, statusText, headers })
}
