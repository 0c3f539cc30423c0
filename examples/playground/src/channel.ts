/**
 * Requests and answers between the application's page and this page.
 *
 * Each answer has a port of its own. Its body goes over in pieces, one for each that is asked for,
 * so that whoever reads slowly holds up who writes: streams themselves can't be handed over in
 * every browser.
 */
export interface WireRequest {
  readonly method: string
  readonly url: string
  readonly headers: ReadonlyArray<readonly [string, string]>
  readonly body?: ArrayBuffer | undefined
  /** Somebody looks at the answer as a page. */
  readonly isNavigation?: boolean
}

interface Head {
  readonly status: number
  readonly statusText: string
  readonly headers: ReadonlyArray<readonly [string, string]>
  readonly hasBody: boolean
}

type Piece =
  | { readonly head: Head }
  | { readonly bytes: Uint8Array }
  | { readonly end: true }
  | { readonly failure: string }

type Ask = 'more' | 'cancel'

/** Longest body of a request that is passed on, in bytes: pages of a try-out upload no more. */
export const REQUEST_BYTES: number = 64 * 1024 * 1024

/** @throws TypeError for a method or header that no page may send. */
export function receiveRequest({ method, url, headers, body }: WireRequest): Request {
  return new Request(url, {
    method,
    headers: headers.map(([name, value]) => [name, value] as [string, string]),
    ...(body !== undefined && method !== 'GET' && method !== 'HEAD' && { body }),
  })
}

export function sendResponse(response: Response, port: MessagePort): void {
  const reader = response.body?.getReader()
  const post = (piece: Piece, transfer: Transferable[] = []): void =>
    port.postMessage(piece, transfer)
  post({
    head: {
      status: response.status,
      statusText: response.statusText,
      headers: [...response.headers],
      hasBody: reader !== undefined,
    },
  })
  if (reader === undefined) return
  port.onmessage = async ({ data }: MessageEvent<Ask>) => {
    try {
      if (data === 'cancel') return await reader.cancel()
      const { done, value } = await reader.read()
      if (done) return post({ end: true })
      // A copy: what is handed over must not be part of a guest's memory.
      const bytes = value.slice()
      post({ bytes }, [bytes.buffer])
    } catch (error) {
      post({ failure: error instanceof Error ? error.message : String(error) })
    }
  }
}

export function sendFailure(message: string, port: MessagePort): void {
  port.postMessage({ failure: message } satisfies Piece)
}

/** Statuses whose answers have no body: `Response` takes none with them. */
const BODILESS = [204, 205, 304]

export function receiveResponse(port: MessagePort): Promise<Response> {
  return new Promise((resolve, reject) => {
    let body: ReadableStreamDefaultController<Uint8Array> | undefined
    const fail = (reason: unknown): void => {
      port.close()
      reject(reason)
      try {
        body?.error(reason)
      } catch {
        // Ended before.
      }
    }
    port.onmessage = ({ data }: MessageEvent<Piece>) => {
      if ('failure' in data) return fail(new Error(data.failure))
      if ('bytes' in data) return body?.enqueue(data.bytes)
      if ('end' in data) {
        body?.close()
        return port.close()
      }
      const { status, statusText, headers, hasBody } = data.head
      const stream = hasBody
        ? new ReadableStream<Uint8Array<ArrayBuffer>>(
            {
              start: (controller) => void (body = controller),
              pull: () => port.postMessage('more' satisfies Ask),
              cancel: () => {
                // What is still on its way has nowhere to go.
                body = undefined
                port.postMessage('cancel' satisfies Ask)
              },
            },
            { highWaterMark: 0 },
          )
        : null
      try {
        resolve(
          new Response(BODILESS.includes(status) ? null : stream, {
            status,
            statusText,
            headers: headers.map(([name, value]) => [name, value] as [string, string]),
          }),
        )
      } catch (error) {
        fail(error)
      }
      if (!hasBody) port.close()
    }
  })
}
