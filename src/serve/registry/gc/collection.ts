import type { Storage, StoredInfo } from '../../storage/port.ts'
import type { Digest } from '../../../types.ts'
import { REPOSITORIES_PREFIX } from '../keys.ts'

export interface Garbage {
  readonly kind: 'blob' | 'manifest' | 'upload'
  /** Of a manifest; blobs are kept for all repositories. */
  readonly repository?: string
  readonly digest?: Digest
  /** In the storage. */
  readonly bytes: number
}

/** One run of the collector. */
export interface Collection {
  readonly storage: Storage
  /** By which it knows what it condemned itself. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly started: number
  readonly grace: number
  readonly untagged: boolean
  readonly dryRun: boolean
  readonly signal: AbortSignal | undefined
  readonly found: (garbage: Garbage) => void
}

/** Too young to be garbage, whatever points at it. */
export function isYoung({ started, grace }: Collection, { modified }: StoredInfo): boolean {
  return modified > started - grace
}

/** The names of all repositories, also of those that have blobs only. Reads a few keys of each. */
export async function* listRepositories({ storage }: Collection): AsyncGenerator<string> {
  let after = REPOSITORIES_PREFIX
  for (;;) {
    const { entries } = await storage.list(REPOSITORIES_PREFIX, { after, limit: 1 })
    const key = entries[0]?.key
    if (key === undefined) return
    const end = key.indexOf('/_')
    yield key.slice(REPOSITORIES_PREFIX.length, end)
    // Sorts after everything of this repository, and before those whose names it begins.
    after = `${key.slice(0, end)}/_~`
  }
}
