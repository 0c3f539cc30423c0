import type { FetchHandler } from '../../src/types.ts'
import { refuse } from './answers.ts'

/**
 * What goes wrong with a request: `cut` before it arrives, `lost` after it was done, `truncate`
 * and `corrupt` on the answer's way, or a status.
 */
export type Fault = 'cut' | 'lost' | 'truncate' | 'corrupt' | number

/** A connection that fails as told. `fault` is asked per request, with how many came before. */
export function createFlakyPersona(
  registry: FetchHandler,
  fault: (request: Request, count: number) => Fault | undefined,
): FetchHandler & { readonly requests: string[] } {
  const requests: string[] = []
  const broken = (): TypeError =>
    Object.assign(new TypeError('fetch failed'), {
      cause: Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
    })
  return {
    requests,
    async fetch(request) {
      const what = fault(request, requests.length)
      requests.push(`${request.method} ${new URL(request.url).pathname}`)
      if (what === 'cut') throw broken()
      if (typeof what === 'number')
        return refuse(what, what === 429 ? 'TOOMANYREQUESTS' : 'UNKNOWN', 'as told')
      const response = await registry.fetch(request)
      if (what === 'lost') throw broken()
      if (what === undefined || response.body === null) return response
      const bytes = new Uint8Array(await response.arrayBuffer())
      if (what === 'corrupt') {
        bytes[0] = (bytes[0] ?? 0) ^ 1
        return new Response(bytes, response)
      }
      const half = bytes.slice(0, Math.ceil(bytes.length / 2))
      let sent = false
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (sent) controller.error(broken())
          else controller.enqueue(half)
          sent = true
        },
      })
      return new Response(body, response)
    },
  }
}
