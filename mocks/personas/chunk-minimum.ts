import type { FetchHandler } from '../../src/types.ts'
import { isUploadStart, refuse, withHeaders } from './answers.ts'

/** Wants chunks of a least size, as Cloudflare's serverless-registry does for R2's parts. @see Distribution Spec 1.1, Pushing a blob in chunks */
export function createChunkMinimumPersona(
  registry: FetchHandler,
  minimum: number,
): FetchHandler & { readonly chunks: number[] } {
  const chunks: number[] = []
  let last = Infinity
  return {
    chunks,
    async fetch(request) {
      if (request.method === 'PATCH') {
        const [, first, end] =
          /^(\d+)-(\d+)$/.exec(request.headers.get('content-range') ?? '') ?? []
        const size = Number(end) - Number(first) + 1
        if (last < minimum)
          return refuse(416, 'SIZE_INVALID', `only the last chunk may be below ${minimum} bytes`)
        chunks.push(size)
        last = size
      }
      const response = await registry.fetch(request)
      return isUploadStart(request)
        ? withHeaders(response, { 'oci-chunk-min-length': `${minimum}` })
        : response
    },
  }
}
