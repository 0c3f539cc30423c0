import type { WireRequest } from './channel.ts'

/** Bytes of a body that are kept to be looked at. */
export const KEPT_BYTES: number = 64 * 1024
/** Requests that are kept; the oldest go first. */
export const KEPT_EXCHANGES = 200

/** A request and what came of it. */
export interface Exchange {
  readonly request: WireRequest
  readonly path: string
  readonly at: number
  /** Absent as long as nothing came. */
  response?: {
    readonly status: number
    readonly statusText: string
    readonly headers: ReadonlyArray<readonly [string, string]>
  }
  /** Why nothing came. */
  failure?: string
  /** Milliseconds until the answer began. */
  duration?: number
  /** Bytes of the body so far, and its beginning. */
  size: number
  readonly kept: Uint8Array[]
  isDone: boolean
}

/** Has `ask` answer, and notes down what goes by. What is handed on is not held up. */
export async function record(
  request: WireRequest,
  ask: (request: WireRequest) => Promise<Response>,
  onChange: (exchange: Exchange) => void,
): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const exchange: Exchange = {
    request,
    path: pathname + search,
    at: Date.now(),
    size: 0,
    kept: [],
    isDone: false,
  }
  const started = performance.now()
  const end = (failure?: unknown): void => {
    exchange.isDone = true
    if (failure !== undefined)
      exchange.failure = failure instanceof Error ? failure.message : String(failure)
    onChange(exchange)
  }
  onChange(exchange)
  let response: Response
  try {
    response = await ask(request)
  } catch (error) {
    exchange.duration = performance.now() - started
    end(error)
    throw error
  }
  const { status, statusText, headers } = response
  exchange.duration = performance.now() - started
  exchange.response = { status, statusText, headers: [...headers] }
  if (response.body === null) {
    end()
    return response
  }
  onChange(exchange)
  const reader = response.body.getReader()
  let kept = 0
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (done) {
            end()
            return controller.close()
          }
          exchange.size += value.length
          if (kept < KEPT_BYTES) exchange.kept.push(value.slice(0, KEPT_BYTES - kept))
          kept += value.length
          controller.enqueue(value)
        } catch (error) {
          end(error)
          controller.error(error)
        }
      },
      cancel(reason) {
        end('the page went away before all of it was read')
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { status, statusText, headers })
}
