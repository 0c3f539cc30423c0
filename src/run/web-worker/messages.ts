import type { HeaderPairs } from '../../http/wire.ts'
import type { ErrorCode } from '../../errors.ts'
import type { AppHandlerOptions } from '../handler/app-handler-options.ts'
import type { AppSnapshot } from '../app/app-snapshot.ts'
import type { LogLine } from '../host/logs.ts'

/** What two ends say to each other: who asks, and who answers in another thread or page. */

interface Head {
  readonly id: number
  readonly headers: HeaderPairs
  readonly hasBody: boolean
}

/** To who answers. */
export type AskMessage =
  | (Head & {
      readonly type: 'request'
      readonly method: string
      readonly url: string
      /** Path and query as they were received, where that is known. */
      readonly target: string | undefined
      readonly address: string
      /** When it arrived, as milliseconds since 1970: both ends have one clock. */
      readonly arrived: number
    })
  | { readonly type: 'abort'; readonly id: number }
  | BodyMessage

/** To who asks. */
export type AnswerMessage =
  | (Head & { readonly type: 'response'; readonly status: number })
  /** The handler has been called: what it hasn't may be given to another. */
  | { readonly type: 'begun'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly message: string }
  | BodyMessage

export interface StartMessage {
  readonly type: 'start'
  readonly app: AppSnapshot
  readonly options: Pick<AppHandlerOptions, 'variables' | 'timeout' | 'concurrency' | 'maxMemory'>
}

/** To the thread that runs an application; `start` comes first. */
export type ToWorker =
  | StartMessage
  | { readonly type: 'ping' }
  /** So many more lines of the log are written, in their order. */
  | { readonly type: 'logged'; readonly lines: number }
  | AskMessage

export type FromWorker =
  | { readonly type: 'ready' }
  | {
      readonly type: 'refused'
      /** Absent for an error that is not of this library. */
      readonly code: ErrorCode | undefined
      readonly message: string
      /** The properties that errors of the code have. */
      readonly data: Readonly<Record<string, unknown>>
    }
  | { readonly type: 'pong' }
  | { readonly type: 'log'; readonly line: LogLine }
  | AnswerMessage

/** A body goes over piece by piece, each when it is asked for; requests and responses share ids. */
export type BodyMessage =
  | { readonly type: 'pull'; readonly id: number }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'chunk'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'end'; readonly id: number; readonly trailers: HeaderPairs | undefined }
  | { readonly type: 'break'; readonly id: number; readonly message: string }
