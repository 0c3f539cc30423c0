import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPortableHasher, digestOf, formatDigest } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'

// FIPS 180-4's own examples.
const EXAMPLES = [
  ['sha256', 'abc', 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['sha256', '', 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  [
    'sha512',
    'abc',
    'sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  ],
] as const

describe('digests', () => {
  it.each(EXAMPLES)('%s of %j is the published one', async (algorithm, text, expected) => {
    expect(await digestOf(encodeUtf8(text), algorithm)).toBe(expected)
  })

  it('come out the same from the streaming hasher, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
        async (chunks) => {
          const hasher = createPortableHasher('sha256')
          for (const chunk of chunks) await hasher.update(chunk)
          const whole = new Uint8Array(chunks.flatMap((chunk) => [...chunk]))
          expect(formatDigest('sha256', await hasher.digest())).toBe(await digestOf(whole))
        },
      ),
    )
  })
})
