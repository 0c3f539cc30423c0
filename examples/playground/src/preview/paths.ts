/** The only paths of an application's origin that don't belong to it. */
export const BRIDGE = '/spindle-preview.html'
export const BRIDGE_SCRIPT = '/spindle-preview.js'
export const EMPTY = '/spindle-preview-empty.html'
export const SERVICE_WORKER = '/spindle-preview-service-worker.js'

/** The name of the frame that shows the application. */
export const FRAME = 'spindle-preview'

/** From the playground to the bridge, at the port that its first message brings. */
export interface WhereMessage {
  readonly kind: 'where'
}

/** From the bridge to the playground. Whatever an application's page may have made of it. */
export type FromBridge =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'at'; readonly path: string; readonly title: string }
  /** Answered at the port that comes with it. */
  | { readonly kind: 'request'; readonly request: unknown }
