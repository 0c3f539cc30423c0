import type { BodyMessage } from './messages.ts'

/** Both ends of the bodies that cross between two ends. */
export interface Bodies {
  /** Gives this side's body away: sends it as it is asked for. */
  send(id: number, body: ReadableStream<Uint8Array>): void
  /** The other side's body. */
  receive(id: number): ReadableStream<Uint8Array>
  handle(message: BodyMessage): void
  /** Whether a body is under way. */
  isBusy(): boolean
  /** Ends what is under way in both directions. */
  close(reason: Error): void
}

export function createBodies(post: (message: BodyMessage) => void): Bodies {
  const outgoing = new Map<number, ReadableStreamDefaultReader<Uint8Array>>()
  const incoming = new Map<number, ReadableStreamDefaultController<Uint8Array>>()
  const waiting = new Map<number, () => void>()
  const settle = (id: number): void => {
    waiting.get(id)?.()
    waiting.delete(id)
  }
  const forward = async (
    id: number,
    reader: ReadableStreamDefaultReader<Uint8Array>,
  ): Promise<void> => {
    try {
      const { done, value } = await reader.read()
      if (!done) return post({ type: 'chunk', id, bytes: value })
      outgoing.delete(id)
      post({ type: 'end', id })
    } catch (error) {
      outgoing.delete(id)
      post({ type: 'break', id, message: error instanceof Error ? error.message : String(error) })
    }
  }
  return {
    send: (id, body) => void outgoing.set(id, body.getReader()),
    receive: (id) =>
      new ReadableStream<Uint8Array>(
        {
          start: (controller) => void incoming.set(id, controller),
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
      ),
    handle(message) {
      const { id } = message
      const reader = outgoing.get(id)
      const controller = incoming.get(id)
      switch (message.type) {
        case 'pull':
          if (reader !== undefined) void forward(id, reader)
          return
        case 'cancel':
          outgoing.delete(id)
          reader?.cancel().catch(() => {})
          return
        case 'chunk':
          controller?.enqueue(message.bytes)
          break
        case 'end':
          incoming.delete(id)
          controller?.close()
          break
        case 'break':
          incoming.delete(id)
          controller?.error(new Error(message.message))
      }
      settle(id)
    },
    isBusy: () => incoming.size + outgoing.size > 0,
    close(reason) {
      for (const controller of incoming.values()) controller.error(reason)
      for (const reader of outgoing.values()) reader.cancel(reason).catch(() => {})
      for (const id of [...waiting.keys()]) settle(id)
      incoming.clear()
      outgoing.clear()
    },
  }
}
