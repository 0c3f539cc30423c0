import fc from 'fast-check'
import { expect, it } from 'vitest'
import { digestOf, formatDigest } from '../../src/bytes/digest.ts'
import { createNodeHasher } from '../../src/node/files/hasher.ts'

it('gives the digests that WebCrypto gives, however the bytes come', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 300 })),
      fc.constantFrom('sha256' as const, 'sha512' as const),
      async (chunks, algorithm) => {
        const hasher = createNodeHasher(algorithm)
        for (const chunk of chunks) await hasher.update(chunk)
        const all = new Uint8Array(Buffer.concat(chunks))
        expect(formatDigest(algorithm, await hasher.digest())).toBe(await digestOf(all, algorithm))
      },
    ),
    { numRuns: 50 },
  )
})
