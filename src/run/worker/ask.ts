import { bodyOf } from '../../bytes/request-body.ts'
import { createBodies } from './bodies.ts'
import type { AnswerMessage, AskMessage } from './messages.ts'

/** A request that waits for its response. */
export interface Asked {
  readonly request: Request
  /** `ip:port` of who sent it. */
  readonly address: string
  readonly resolve: (response: Response) => void
  readonly reject: (reason: unknown) => void
}

/** The end of a channel that asks. */
export interface Asker {
  send(asked: Asked): void
  handle(message: AnswerMessage): void
  /** Whether something is under way. */
  isBusy(): boolean
  /** Ends what is under way. Gives back what the other end had not begun, and may be sent elsewhere. */
  close(reason: Error): readonly Asked[]
}

interface Pending extends Asked {
  begun: boolean
  readonly onAbort: () => void
}

/** As everywhere: why it failed is for the log, not for who asked. */
export function failedResponse(): Response {
  return new Response(null, { status: 500 })
}

export function createAsker(
  post: (message: AskMessage) => void,
  onFailure: (message: string) => void = () => {},
): Asker {
  const pending = new Map<number, Pending>()
  const bodies = createBodies(post)
  let last = 0

  const take = (id: number): Pending | undefined => {
    const entry = pending.get(id)
    pending.delete(id)
    entry?.request.signal.removeEventListener('abort', entry.onAbort)
    return entry
  }

  return {
    send(asked) {
      const { request, address, reject } = asked
      if (request.signal.aborted) return reject(request.signal.reason)
      const id = ++last
      const onAbort = (): void => {
        take(id)
        post({ type: 'abort', id })
        // Nobody may ever ask for the rest of its body.
        bodies.handle({ type: 'cancel', id })
        post({ type: 'break', id, message: 'the client has left' })
        reject(request.signal.reason)
      }
      request.signal.addEventListener('abort', onAbort, { once: true })
      pending.set(id, { ...asked, begun: false, onAbort })
      const body = bodyOf(request)
      if (body !== null) bodies.send(id, body)
      post({
        type: 'request',
        id,
        method: request.method,
        url: request.url,
        headers: [...request.headers],
        hasBody: body !== null,
        address,
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
          // A client that has left takes no body.
          if (entry === undefined) return void (hasBody && post({ type: 'cancel', id }))
          const body = hasBody ? bodies.receive(id) : null
          return entry.resolve(
            new Response(body, { status, headers: headers as [string, string][] }),
          )
        }
        case 'failed':
          onFailure(message.message)
          return take(message.id)?.resolve(failedResponse())
        default:
          bodies.handle(message)
      }
    },
    isBusy: () => pending.size > 0 || bodies.isBusy(),
    close(reason) {
      bodies.close(reason)
      return [...pending.keys()].flatMap((id) => {
        const entry = take(id) as Pending
        // A body that was read can't be sent again.
        const { body, bodyUsed } = entry.request
        if (!entry.begun && !bodyUsed && body?.locked !== true) return [entry]
        entry.resolve(failedResponse())
        return []
      })
    },
  }
}
