import type { Digest } from '../../types.ts'
import { readGeneration } from './generation.ts'
import { listAll } from './port.ts'
import type { Storage, StoredInfo } from './port.ts'

/** Things that one collection looks at or removes at once. */
export const AT_ONCE = 8

/** Milliseconds that the storage's clock may be behind ours: what is younger than that is read again. */
export const CLOCK_SKEW: number = 24 * 60 * 60 * 1000

/** Takes the key of a blob, manifest or parcel apart; `undefined` for other keys. */
type ParseContentKey = (
  key: string,
) => { readonly digest: Digest; readonly generation: number } | undefined

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

/** Whether it was left by a collection that ended between burying and deleting. */
export async function isLeftover(
  storage: Storage,
  place: string,
  { generation, isDoubled }: ContentEntry,
): Promise<boolean> {
  return isDoubled && (await readGeneration(storage, place)).number > generation
}
