import { sha512 } from '@noble/hashes/sha2.js'
import type { CreateHasher } from '../types.ts'
import { createPortableHasher } from './digest.ts'

/** As `createPortableHasher`, and streams sha512 too: for servers, which take content of any size. */
export const createStreamingHasher: CreateHasher = (algorithm) => {
  if (algorithm === 'sha256') return createPortableHasher(algorithm)
  const hash = sha512.create()
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => hash.digest(),
  }
}
