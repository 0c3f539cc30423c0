/** A WIT `result`, as the linker passes it. */
export type Result<T = unknown, E = unknown> =
  | { readonly tag: 'ok'; readonly val?: T | undefined }
  | { readonly tag: 'err'; readonly val?: E | undefined }

export function ok<T>(val?: T): { readonly tag: 'ok'; readonly val: T | undefined } {
  return { tag: 'ok', val }
}

export function err<E>(val?: E): { readonly tag: 'err'; readonly val: E | undefined } {
  return { tag: 'err', val }
}
