import type { HeaderPairs } from '../../http/wire.ts'
import type { ErrorCode } from '../../errors.ts'
import type { AppHandlerOptions } from '../handler/app-handler-options.ts'
import type { AppSnapshot } from '../app/app-snapshot.ts'
import type { LogLine } from '../host/logs.ts'

/** Messages between the asking end and the answering end in another thread or page. */

interface Head {
  readonly id: number
  readonly headers: HeaderPairs
  readonly hasBody: boolean
}

/** To the answering end. */
export type AskMessage =
  | (Head & {
      readonly type: 'request'
      readonly method: string
      readonly url: string
      /** Path and query as received, if known. */
      readonly target: string | undefined
      readonly address: string
      /** Arrival time, as milliseconds since 1970: both ends share a clock. */
      readonly arrived: number
    })
  | { readonly type: 'abort'; readonly id: number }
  | BodyMessage

/** To the asking end. */
export type AnswerMessage =
  | (Head & { readonly type: 'response'; readonly status: number })
  /** The handler was called. Requests that have not begun can be moved to another thread. */
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
  /** Number of further log lines that were written, in order. */
  | { readonly type: 'logged'; readonly lines: number }
  | AskMessage

export type FromWorker =
  | { readonly type: 'ready' }
  | {
      readonly type: 'refused'
      /** Absent for an error that is not of this library. */
      readonly code: ErrorCode | undefined
      readonly message: string
      /** The properties of errors with this code. */
      readonly data: Readonly<Record<string, unknown>>
    }
  | { readonly type: 'pong' }
  | { readonly type: 'log'; readonly line: LogLine }
  | AnswerMessage

/** A body is sent chunk by chunk on `pull`; a request and its response share an id. */
export type BodyMessage =
  | { readonly type: 'pull'; readonly id: number }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'chunk'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'end'; readonly id: number; readonly trailers: HeaderPairs | undefined }
  | { readonly type: 'break'; readonly id: number; readonly message: string }
