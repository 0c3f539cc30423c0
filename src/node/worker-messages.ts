import type { AppSnapshot } from '../run/app-snapshot.ts'
import type { LogLine } from '../run/logs.ts'

/** What the thread that listens and the thread that runs an application say to each other. */

export interface WorkerStart {
  readonly app: AppSnapshot
  readonly options: {
    readonly variables?: Readonly<Record<string, string>>
    readonly timeout?: number
    readonly concurrency?: number
    readonly maxMemory?: number
  }
}

interface Head {
  readonly id: number
  readonly headers: readonly (readonly [string, string])[]
  readonly hasBody: boolean
}

export type ToWorker =
  | (Head & {
      readonly type: 'request'
      readonly method: string
      readonly url: string
      readonly address: string
    })
  | { readonly type: 'abort'; readonly id: number }
  | { readonly type: 'ping' }
  | BodyMessage

export type FromWorker =
  | (Head & { readonly type: 'response'; readonly status: number })
  | { readonly type: 'ready' }
  | { readonly type: 'refused'; readonly code: string | undefined; readonly message: string }
  | { readonly type: 'begun'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly message: string }
  | { readonly type: 'pong' }
  | { readonly type: 'log'; readonly line: LogLine }
  | BodyMessage

/** A body goes over piece by piece, each when it is asked for; requests and responses share ids. */
export type BodyMessage =
  | { readonly type: 'pull'; readonly id: number }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'chunk'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'end'; readonly id: number }
  | { readonly type: 'break'; readonly id: number; readonly message: string }

/** Both ends of the bodies that cross between two threads. */
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
