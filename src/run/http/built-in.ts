import { AppInvalid } from '../../errors.ts'
import { isJsonObject, type Json } from '../../bytes/json.ts'
import type { RunApp } from '../app/run-app.ts'
import { hasNoBody } from './execution.ts'

/** Reserved paths, which are answered before routes. */
export const WELL_KNOWN = '/.well-known/spin/'

/** What Spin answers itself, before any route. */
export function builtInResponse(path: string, app: RunApp): Response | undefined {
  if (!path.startsWith(WELL_KNOWN)) return undefined
  switch (path.slice(WELL_KNOWN.length)) {
    case 'health':
      return new Response('OK')
    case 'info': {
      const info = {
        name: app.name,
        ...(app.version !== undefined && { version: app.version }),
        ...(app.imageDigest !== undefined && { oci_image_digest: app.imageDigest }),
      }
      return new Response(JSON.stringify(info, null, 2), {
        headers: { 'content-type': 'application/json' },
      })
    }
    default:
      return new Response(null, { status: 404 })
  }
}

/** A trigger's `static_response`, checked once and made anew for each request. */
export function staticResponse(id: string, config: Json): () => Response {
  const table = isJsonObject(config) ? config : {}
  const status = table['status_code'] ?? 200
  const headers = isJsonObject(table['headers']) ? (table['headers'] as Record<string, string>) : {}
  const text = typeof table['body'] === 'string' ? table['body'] : ''
  const make = (): Response => {
    const response = new Response(hasNoBody(status as number) ? null : text, {
      status: status as number,
      headers,
    })
    // Like Spin: no content-type unless the manifest sets one.
    if (!Object.keys(headers).some((name) => name.toLowerCase() === 'content-type'))
      response.headers.delete('content-type')
    return response
  }
  try {
    make()
  } catch (cause) {
    throw new AppInvalid(
      [
        {
          code: 'invalid-response',
          message: `static_response of trigger "${id}" is no response: ${(cause as Error).message}`,
        },
      ],
      { cause },
    )
  }
  return make
}
