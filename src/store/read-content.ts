import { readVerified } from '../bytes/verified.ts'
import type { Descriptor, OperationOptions, ReadStore, WholeStore, PacedStore } from '../types.ts'

/** Content up to this size is held: 8 in flight are 8 MiB. */
export const HELD_BYTES: number = 1024 * 1024

/** All bytes of content, checked, in as few steps as the store takes. */
export async function readContent(
  store: ReadStore & Partial<WholeStore>,
  target: Descriptor,
  options: OperationOptions,
): Promise<Uint8Array> {
  if (store.whole !== undefined && target.size <= HELD_BYTES) return store.whole(target, options)
  return readFetched(store, target, options)
}

/** All bytes of content, checked here, whatever the store says of itself. */
export async function readFetched(
  store: ReadStore,
  target: Descriptor,
  options: OperationOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { signal, createHasher } = options
  return readVerified(await store.fetch(target, options), target, signal, createHasher)
}

/** Two cores reach their knee here (measured against docker-registry). */
const CONCURRENCY = 8

/** Blobs in flight at once where the caller names no number: 8, or fewer when a side says so. */
export function paceOf(...sides: readonly Partial<PacedStore>[]): number {
  return Math.min(CONCURRENCY, ...sides.map(({ concurrency = CONCURRENCY }) => concurrency))
}
