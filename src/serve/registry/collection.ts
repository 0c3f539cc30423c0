import { listAll } from '../storage/port.ts'
import type { Storage, StoredInfo } from '../storage/port.ts'
import type { Digest } from '../../types.ts'
import { readGeneration } from './generation.ts'
import { parseContentKey, REPOSITORIES_PREFIX } from './keys.ts'

/** Things that one collection looks at or removes at once. */
export const AT_ONCE = 8

/** Milliseconds that the storage's clock may be behind ours: what is younger than that is read again. */
export const CLOCK_SKEW: number = 24 * 60 * 60 * 1000

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

/** A key that ends in a digest, taken apart. */
export interface ContentEntry extends StoredInfo {
  readonly digest: Digest
  readonly generation: number
  /** Whether another generation of it is there as well, so that this one may be dead. */
  readonly isDoubled: boolean
}

/**
 * All content below a prefix. Generations of one digest follow each other, but not in their order:
 * `.2` comes after `.10`.
 */
export async function* listContent(
  storage: Storage,
  prefix: string,
  parse: typeof parseContentKey = parseContentKey,
): AsyncGenerator<ContentEntry> {
  let last: Omit<ContentEntry, 'isDoubled'> | undefined
  let wasDoubled = false
  for await (const info of listAll(storage, prefix)) {
    const parsed = parse(info.key)
    if (parsed === undefined) continue
    const isDoubled = last?.digest === parsed.digest
    if (last !== undefined) yield { ...last, isDoubled: isDoubled || wasDoubled }
    wasDoubled = isDoubled
    last = { ...info, ...parsed }
  }
  if (last !== undefined) yield { ...last, isDoubled: wasDoubled }
}

/** Whether it was left by a collection that ended between burying and deleting. */
export async function isLeftover(
  storage: Storage,
  place: string,
  { generation, isDoubled }: ContentEntry,
): Promise<boolean> {
  return isDoubled && (await readGeneration(storage, place)).number > generation
}
