import { type HeaderPairs, wireOf } from '../../http/wire.ts'
import type { BodyMessage } from './messages.ts'

interface Outgoing {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>
  /** The message of the body, which has its trailers. */
  readonly message: Request | Response
}

/** Message bodies in both directions of a channel. */
export interface Bodies {
  /** Sends a body of this end, chunk by chunk as the other end pulls. */
  send(id: number, message: Request | Response, body: ReadableStream<Uint8Array>): void
  /** Receives a body of the other end. */
  receive(id: number): Received
  handle(message: BodyMessage): void
  /** Whether a body is in flight. */
  isBusy(): boolean
  /** Ends the bodies of both directions. */
  close(reason: Error): void
}

interface Incoming {
  controller?: ReadableStreamDefaultController<Uint8Array>
  trailers?: HeaderPairs
}

interface Received {
  readonly body: ReadableStream<Uint8Array>
  /** Its trailers, once it has ended. */
  readonly trailers: () => HeaderPairs | undefined
}

export function createBodies(post: (message: BodyMessage) => void): Bodies {
  const outgoing = new Map<number, Outgoing>()
  const incoming = new Map<number, Incoming>()
  const waiting = new Map<number, () => void>()
  const settle = (id: number): void => {
    waiting.get(id)?.()
    waiting.delete(id)
  }
  const forward = async (id: number, { reader, message }: Outgoing): Promise<void> => {
    try {
      const { done, value } = await reader.read()
      if (!done) return post({ type: 'chunk', id, bytes: value })
      outgoing.delete(id)
      post({ type: 'end', id, trailers: wireOf(message)?.trailers?.() })
    } catch (error) {
      outgoing.delete(id)
      post({ type: 'break', id, message: error instanceof Error ? error.message : String(error) })
    }
  }
  return {
    send: (id, message, body) => void outgoing.set(id, { reader: body.getReader(), message }),
    receive(id) {
      const entry: Incoming = {}
      const body = new ReadableStream<Uint8Array>(
        {
          start(controller) {
            entry.controller = controller
            incoming.set(id, entry)
          },
          pull: () =>
            new Promise<void>((resolve) => {
              waiting.set(id, resolve)
              post({ type: 'pull', id })
            }),
          cancel: () => {
            incoming.delete(id)
            settle(id)
            post({ type: 'cancel', id })
          },
        },
        { highWaterMark: 0 },
      )
      return { body, trailers: () => entry.trailers }
    },
    handle(message) {
      const { id } = message
      const sent = outgoing.get(id)
      const entry = incoming.get(id)
      switch (message.type) {
        case 'pull':
          if (sent !== undefined) void forward(id, sent)
          return
        case 'cancel':
          outgoing.delete(id)
          sent?.reader.cancel().catch(() => {})
          return
        case 'chunk':
          entry?.controller?.enqueue(message.bytes)
          break
        case 'end':
          incoming.delete(id)
          if (entry !== undefined && message.trailers !== undefined)
            entry.trailers = message.trailers
          entry?.controller?.close()
          break
        case 'break':
          incoming.delete(id)
          entry?.controller?.error(new Error(message.message))
      }
      settle(id)
    },
    isBusy: () => incoming.size + outgoing.size > 0,
    close(reason) {
      for (const { controller } of incoming.values()) controller?.error(reason)
      for (const { reader } of outgoing.values()) reader.cancel(reason).catch(() => {})
      for (const id of [...waiting.keys()]) settle(id)
      incoming.clear()
      outgoing.clear()
    },
  }
}
