import type { Digest } from '../../types.ts'
import { readGeneration } from './generation.ts'
import { listAll } from './port.ts'
import type { Storage, StoredInfo } from './port.ts'

/** Entries that a garbage collection processes concurrently. */
export const AT_ONCE = 8

/** Largest assumed clock difference to the storage, in milliseconds: newer entries are read a second time. */
export const CLOCK_SKEW: number = 24 * 60 * 60 * 1000

/** Parses the key of a blob, manifest or parcel; `undefined` for other keys. */
type ParseContentKey = (
  key: string,
) => { readonly digest: Digest; readonly generation: number } | undefined

/** A stored blob, manifest or parcel. */
export interface ContentEntry extends StoredInfo {
  readonly digest: Digest
  readonly generation: number
  /** Whether another generation of it exists, so that this one may be obsolete. */
  readonly isDoubled: boolean
}

/**
 * Lists all content below a prefix. Generations of one digest are adjacent, but not in numerical order:
 * `.2` comes after `.10`.
 */
export async function* listContent(
  storage: Storage,
  prefix: string,
  parse: ParseContentKey,
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

/** Whether a collection ended after sweeping this generation, but before deleting it. */
export async function isLeftover(
  storage: Storage,
  generationKey: string,
  { generation, isDoubled }: ContentEntry,
): Promise<boolean> {
  return isDoubled && (await readGeneration(storage, generationKey)).number > generation
}
