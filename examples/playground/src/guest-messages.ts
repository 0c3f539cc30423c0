import type { LockedApp, PulledApp } from 'spindle/app'
import type { LogLine as Line } from 'spindle/run-worker'

export type LogLine = Line

/** An application with all that it needs, as it is handed to a Worker. */
export interface AppImage {
  readonly descriptor: PulledApp['descriptor']
  readonly locked: LockedApp
  readonly contents: ReadonlyMap<string, Uint8Array>
}

/** Whether an origin may be reached that was asked for under this number. */
export interface ToGuest {
  readonly id: number
  readonly isAllowed: boolean
}

export type FromGuest =
  | { readonly kind: 'outbound'; readonly id: number; readonly origin: string }
  | { readonly kind: 'stored' }
  /** For the log. */
  | { readonly kind: 'said'; readonly text: string }
