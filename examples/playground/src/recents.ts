import { keep, readKept } from '../../page/drafts.ts'

/** What was run here before, newest first. Its content is in the content store, by digest. */
export interface Recent {
  readonly reference: string
  readonly digest: string
  /** In milliseconds since 1970. */
  readonly at: number
  /** Who had signed it, under which policy. */
  readonly checked?: { readonly by: string; readonly policy: string }
}

const KEY = 'spindle-playground/recents'
const MOST = 6

export function readRecents(): readonly Recent[] {
  const kept = readKept(KEY)
  return Array.isArray(kept)
    ? kept.filter(
        ({ reference, digest }) => typeof reference === 'string' && typeof digest === 'string',
      )
    : []
}

export function findRecent(reference: string): Recent | undefined {
  return readRecents().find((recent) => recent.reference === reference)
}

export function remember(recent: Recent): void {
  const others = readRecents().filter(({ reference }) => reference !== recent.reference)
  keep(KEY, [recent, ...others].slice(0, MOST))
}

export function forgetRecents(): void {
  keep(KEY, [])
}
