import type { PacedStore } from '../types.ts'

/** Two cores reach their knee here (measured against docker-registry). */
const CONCURRENCY = 8

/** Blobs in flight at once where the caller names no number: 8, or fewer when a side says so. */
export function paceOf(...sides: readonly Partial<PacedStore>[]): number {
  return Math.min(CONCURRENCY, ...sides.map(({ concurrency = CONCURRENCY }) => concurrency))
}
