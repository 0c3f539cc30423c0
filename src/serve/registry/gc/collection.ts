import type { Storage, StoredInfo } from '../../storage/port.ts'
import type { Digest } from '../../../types.ts'
import { REPOSITORIES_PREFIX } from '../keys.ts'

/** An item that a garbage collection removes. */
export interface Garbage {
  /** Kind of the item. */
  readonly kind: 'blob' | 'manifest' | 'upload'
  /** Repository of a manifest; absent for blobs, which all repositories share, and uploads. */
  readonly repository?: string
  /** Digest of a blob or manifest. */
  readonly digest?: Digest
  /** Size in the storage. */
  readonly bytes: number
}

/** One run of the garbage collection. */
export interface Collection {
  readonly storage: Storage
  /** Identifies the marks of this run. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly started: number
  readonly grace: number
  readonly untagged: boolean
  readonly dryRun: boolean
  readonly signal: AbortSignal | undefined
  readonly found: (garbage: Garbage) => void
}

/** Whether an entry is within the grace period. */
export function isYoung({ started, grace }: Collection, { modified }: StoredInfo): boolean {
  return modified > started - grace
}

/** Lists the names of all repositories, including those with blobs only. Skips from one to the next. */
export async function* listRepositories({ storage }: Collection): AsyncGenerator<string> {
  let after = REPOSITORIES_PREFIX
  for (;;) {
    const { entries } = await storage.list(REPOSITORIES_PREFIX, { after, limit: 1 })
    const key = entries[0]?.key
    if (key === undefined) return
    const end = key.indexOf('/_')
    yield key.slice(REPOSITORIES_PREFIX.length, end)
    // Sorts after all keys of this repository, and before repositories below its name.
    after = `${key.slice(0, end)}/_~`
  }
}
