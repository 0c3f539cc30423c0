import { readVerified } from '../bytes/verified.ts'
import type { Descriptor, OperationOptions, ReadStore, WholeStore, PacedStore } from '../types.ts'

/** Content up to this size in bytes is buffered: 8 in flight are 8 MiB. */
export const BUFFERED_BYTES: number = 1024 * 1024

/** Reads and verifies content, by `whole` if the store has it. */
export async function readContent(
  store: ReadStore & Partial<WholeStore>,
  target: Descriptor,
  options: OperationOptions,
): Promise<Uint8Array> {
  if (store.whole !== undefined && target.size <= BUFFERED_BYTES)
    return store.whole(target, options)
  return readFetched(store, target, options)
}

/** Reads content and verifies it here, without relying on the store. */
export async function readFetched(
  store: ReadStore,
  target: Descriptor,
  options: OperationOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { signal, createHasher } = options
  return readVerified(await store.fetch(target, options), target, signal, createHasher)
}

/** More transfers are not faster on two cores (measured against docker-registry). */
const CONCURRENCY = 8

/** Default number of blobs in flight: 8, or fewer if a side has a lower limit. */
export function paceOf(...sides: readonly Partial<PacedStore>[]): number {
  return Math.min(CONCURRENCY, ...sides.map(({ concurrency = CONCURRENCY }) => concurrency))
}
