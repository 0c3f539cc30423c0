import { bodyOf } from '../../bytes/request-body.ts'
import { exactHeaders, wireOf, withWire } from '../../http/wire.ts'
import { createBodies } from './bodies.ts'
import type { AnswerMessage, AskMessage } from './messages.ts'

/** A request that waits for its response. */
export interface Asked {
  readonly request: Request
  /** `ip:port` of the client. */
  readonly address: string
  /** Start of its deadline, as milliseconds since 1970. */
  arrived: number
  readonly resolve: (response: Response) => void
  readonly reject: (reason: unknown) => void
}

/** The asking end of a channel. */
export interface Asker {
  send(asked: Asked): void
  handle(message: AnswerMessage): void
  /** Whether the other end has started the request. */
  hasBegun(asked: Asked): boolean
  /** Answers a request with status 500 and aborts it. The returned function tells whether the other end is still running it. */
  giveUp(asked: Asked): () => boolean
  /** Whether requests or bodies are in flight, including aborted ones. */
  isBusy(): boolean
  /** Ends all requests. Returns those that the other end had not started, which can be sent elsewhere. */
  close(reason: Error): readonly Asked[]
}

interface Pending {
  readonly asked: Asked
  begun: boolean
  readonly onAbort: () => void
}

/** Status 500 without details: the cause is logged, not sent to the client. */
export function failedResponse(): Response {
  return new Response(null, { status: 500 })
}

export function createAsker(
  post: (message: AskMessage) => void,
  onFailure: (message: string) => void = () => {},
): Asker {
  const pending = new Map<number, Pending>()
  /** Aborted requests that the other end has not confirmed yet. */
  const stopping = new Set<number>()
  const bodies = createBodies(post)
  let last = 0

  const take = (id: number): Pending | undefined => {
    const entry = pending.get(id)
    pending.delete(id)
    entry?.asked.request.signal.removeEventListener('abort', entry.onAbort)
    return entry
  }

  const find = (asked: Asked): [number, Pending] | undefined =>
    [...pending].find(([, entry]) => entry.asked === asked)

  const stop = (id: number, message: string): void => {
    take(id)
    stopping.add(id)
    post({ type: 'abort', id })
    // The rest of its body may never be pulled.
    bodies.handle({ type: 'cancel', id })
    post({ type: 'break', id, message })
  }

  return {
    send(asked) {
      const { request, address, arrived, reject } = asked
      if (request.signal.aborted) return reject(request.signal.reason)
      const id = ++last
      const onAbort = (): void => {
        stop(id, 'the client has left')
        reject(request.signal.reason)
      }
      request.signal.addEventListener('abort', onAbort, { once: true })
      pending.set(id, { asked, begun: false, onAbort })
      const body = bodyOf(request)
      if (body !== null) bodies.send(id, request, body)
      post({
        type: 'request',
        id,
        method: request.method,
        url: request.url,
        target: wireOf(request)?.target,
        headers: exactHeaders(request),
        hasBody: body !== null,
        address,
        arrived,
      })
    },
    handle(message) {
      switch (message.type) {
        case 'begun': {
          const entry = pending.get(message.id)
          if (entry !== undefined) entry.begun = true
          return
        }
        case 'response': {
          const { id, status, headers, hasBody } = message
          const entry = take(id)
          stopping.delete(id)
          // The client disconnected: cancel the body.
          if (entry === undefined) return void (hasBody && post({ type: 'cancel', id }))
          const received = hasBody ? bodies.receive(id) : undefined
          const response = new Response((received?.body ?? null) as Response['body'], {
            status,
            headers: headers as [string, string][],
          })
          return entry.asked.resolve(withWire(response, { headers, trailers: received?.trailers }))
        }
        case 'failed': {
          const entry = take(message.id)
          stopping.delete(message.id)
          // A failure after the client disconnected is not reported.
          if (entry === undefined) return
          onFailure(message.message)
          return entry.asked.resolve(failedResponse())
        }
        default:
          bodies.handle(message)
      }
    },
    hasBegun: (asked) => find(asked)?.[1].begun === true,
    giveUp(asked) {
      const [id] = find(asked) ?? []
      if (id !== undefined) stop(id, 'there was no response in time')
      asked.resolve(failedResponse())
      return () => id !== undefined && stopping.has(id)
    },
    isBusy: () => pending.size + stopping.size > 0 || bodies.isBusy(),
    close(reason) {
      stopping.clear()
      bodies.close(reason)
      return [...pending.keys()].flatMap((id) => {
        const { asked, begun } = take(id) as Pending
        // A body that was read cannot be sent again.
        const { body, bodyUsed } = asked.request
        if (!begun && !bodyUsed && body?.locked !== true) return [asked]
        asked.resolve(failedResponse())
        return []
      })
    },
  }
}
