import { bodyFor } from '../../bytes/request-body.ts'
import { exactHeaders, withWire } from '../../http/wire.ts'
import { createBodies } from './bodies.ts'
import type { AnswerMessage, AskMessage } from './messages.ts'

type RequestHead = Extract<AskMessage, { type: 'request' }>

/** The answering end of a channel; the returned function handles messages of the asking end. */
export function createAnswerer(
  post: (message: AnswerMessage) => void,
  fetch: (request: Request, head: RequestHead) => Promise<Response>,
): (message: AskMessage) => void {
  const bodies = createBodies(post)
  const aborts = new Map<number, AbortController>()

  const answer = async (head: RequestHead): Promise<void> => {
    const { id, method, url, target, headers, hasBody } = head
    // Sent before the guest starts: requests that have not begun can be moved to another thread.
    post({ type: 'begun', id })
    const abort = new AbortController()
    aborts.set(id, abort)
    try {
      const received = hasBody ? bodies.receive(id) : undefined
      const sent = received === undefined ? null : await bodyFor(received.body)
      const request = new Request(url, {
        method,
        headers: headers as [string, string][],
        signal: abort.signal,
        ...(sent !== null && { body: sent, duplex: 'half' }),
      } as RequestInit)
      withWire(request, {
        headers,
        ...(target !== undefined && { target }),
        trailers: received?.trailers,
      })
      const response = await fetch(request, head)
      const { body, status } = response
      if (body !== null) bodies.send(id, response, body)
      const sentHeaders = exactHeaders(response)
      post({ type: 'response', id, status, headers: sentHeaders, hasBody: body !== null })
    } catch (error) {
      post({ type: 'failed', id, message: error instanceof Error ? error.message : String(error) })
    } finally {
      // From here on, a disconnect cancels the response body.
      aborts.delete(id)
    }
  }

  return (message) => {
    switch (message.type) {
      case 'request':
        return void answer(message)
      case 'abort':
        return aborts.get(message.id)?.abort()
      default:
        bodies.handle(message)
    }
  }
}
