import type { LockedApp, PulledApp } from 'spindle/app'
import type { AppHandlerOptions } from 'spindle/run'
import type { WireRequest } from './channel.ts'

export type LogLine = Parameters<NonNullable<AppHandlerOptions['onLog']>>[0]

/** An application with all that it needs, as it is handed to a Worker. */
export interface AppImage {
  readonly descriptor: PulledApp['descriptor']
  readonly locked: LockedApp
  readonly contents: ReadonlyMap<string, Uint8Array>
}

export interface StartMessage {
  readonly kind: 'start'
  readonly image: AppImage
  readonly variables: Readonly<Record<string, string>>
  /** Names the application's values in IndexedDB. */
  readonly values: string
}

export type ToGuest =
  | StartMessage
  /** Answered at the port that comes with it. */
  | { readonly kind: 'request'; readonly request: WireRequest }
  | { readonly kind: 'verdict'; readonly id: number; readonly isAllowed: boolean }
  | { readonly kind: 'ping' }

export type FromGuest =
  | { readonly kind: 'started' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'log'; readonly line: LogLine }
  | { readonly kind: 'outbound'; readonly id: number; readonly origin: string }
  | { readonly kind: 'stored' }
  | { readonly kind: 'pong' }
