import { createHash } from 'node:crypto'
import type { CreateHasher } from '../../types.ts'

/**
 * Node's native streaming hasher, many times faster than the portable one.
 *
 * Exported from `spindle/node`.
 *
 * @example Pull large layers
 * ```ts
 * await pull(ref, { createHasher: createNodeHasher })
 * ```
 */
export const createNodeHasher: CreateHasher = (algorithm) => {
  const hash = createHash(algorithm)
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => new Uint8Array(hash.digest()),
  }
}
