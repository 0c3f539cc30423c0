import type { IncomingMessage } from 'node:http'
import { pairsOf, type Wire } from '../../http/wire.ts'

/** A request as it was received. */
export function wireOfRequest(request: IncomingMessage): Wire {
  return {
    target: targetOf(request.url ?? '/'),
    // Those of HTTP/2 that begin with a colon are no headers.
    headers: pairsOf(request.rawHeaders).filter(([name]) => !name.startsWith(':')),
    trailers: () =>
      request.rawTrailers.length === 0
        ? undefined
        : pairsOf(request.rawTrailers).map(([name, value]) => [name.toLowerCase(), value] as const),
  }
}

/** Path and query of a request target, in characters that a URL may have. */
function targetOf(url: string): string {
  const [target = ''] = url.replace(/^https?:\/\/[^/?#]*/i, '').split('#', 1)
  const path = target.startsWith('/') ? target : `/${target}`
  return path.replace(/[^\x21-\x7e]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase()
    return `%${code.padStart(2, '0')}`
  })
}

/** Members that `srvx` adds to its requests. */
interface ServedRequest extends Request {
  readonly runtime?: {
    readonly node?: {
      readonly req?: {
        readonly socket?: { readonly remoteAddress?: string; readonly remotePort?: number }
      }
    }
  }
}

/** The remote address of a request's connection; `undefined` without one. */
export function clientAddress(
  request: ServedRequest,
): { address: string; port: number } | undefined {
  const { remoteAddress, remotePort = 0 } = request.runtime?.node?.req?.socket ?? {}
  return remoteAddress === undefined ? undefined : { address: remoteAddress, port: remotePort }
}
