import { describe, expect, test } from 'vitest'
import { createPortableHasher, digestOf, formatDigest } from '../../src/bytes/digest.ts'
import { readBounded, streamOf } from '../../src/bytes/stream.ts'
import { readVerified, verifyStream } from '../../src/bytes/verified.ts'
import type { CreateHasher, Descriptor } from '../../src/types.ts'

const bytes = Uint8Array.from({ length: 1000 }, (_, at) => at)
const other = bytes.map((byte) => byte ^ 1)

async function describeBytes(content: Uint8Array): Promise<Descriptor> {
  return { mediaType: 'x/y', digest: await digestOf(content), size: content.length }
}

function countHashed(): { createHasher: CreateHasher; hashed: () => number } {
  let hashed = 0
  return {
    createHasher: (algorithm) => {
      const hasher = createPortableHasher(algorithm)
      return {
        digest: () => hasher.digest(),
        update(chunk) {
          hashed += chunk.length
          return hasher.update(chunk)
        },
      }
    },
    hashed: () => hashed,
  }
}

describe('content that is checked on its way', () => {
  test('is not hashed there when it is collected and checked whole', async () => {
    const { createHasher, hashed } = countHashed()
    const expected = await describeBytes(bytes)
    const stream = verifyStream(streamOf(bytes), expected, createHasher)
    expect(await readVerified(stream, expected)).toEqual(bytes)
    expect(hashed()).toBe(0)
    expect(stream.locked).toBe(true)
  })

  test('is hashed once when checks for the same stand one behind the other', async () => {
    const { createHasher, hashed } = countHashed()
    const expected = await describeBytes(bytes)
    const inner = verifyStream(streamOf(bytes), expected, createHasher)
    const outer = verifyStream(inner, expected, createHasher)
    expect(await readBounded(outer, 2000, 'it')).toEqual(bytes)
    expect(hashed()).toBe(1000)
  })

  test('is still refused, collected, when it is something else', async () => {
    const expected = await describeBytes(bytes)
    const stream = verifyStream(streamOf(other), expected)
    await expect(readVerified(stream, expected)).rejects.toMatchObject({
      code: 'ERR_DIGEST_MISMATCH',
    })
  })

  test('is held to both when the checks are for different content', async () => {
    const stream = verifyStream(streamOf(other), await describeBytes(bytes))
    await expect(readVerified(stream, await describeBytes(other))).rejects.toMatchObject({
      code: 'ERR_DIGEST_MISMATCH',
    })
  })

  test('is refused when some of it was read before', async () => {
    const expected = await describeBytes(bytes)
    const stream = verifyStream(streamOf(bytes), expected)
    const reader = stream.getReader()
    await reader.read()
    reader.releaseLock()
    await expect(readVerified(stream, expected)).rejects.toMatchObject({
      code: 'ERR_DIGEST_MISMATCH',
    })
  })
})

describe('sha512', () => {
  test('is checked on the way without a hasher of its own', async () => {
    const digest = await digestOf(bytes, 'sha512')
    const expected: Descriptor = { mediaType: 'x/y', digest, size: bytes.length }
    expect(await readBounded(verifyStream(streamOf(bytes), expected), 2000, 'it')).toEqual(bytes)
    await expect(
      readBounded(verifyStream(streamOf(other), expected), 2000, 'it'),
    ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  })

  // workerd hashes some 5 MiB a second here.
  test('streams sha512 of more than is buffered', { timeout: 120_000 }, async () => {
    const hasher = createPortableHasher('sha512')
    const piece = new Uint8Array(1 << 20)
    for (let at = 0; at <= 64; at++) void hasher.update(piece)
    // As `head -c 68157440 /dev/zero | sha512sum` has it.
    expect(formatDigest('sha512', await hasher.digest())).toBe(
      'sha512:18ccc5252d4ac802f35cd41f271eaed208d54b2faa080a174d0036568725292d271dff379328bb8d1ccb49bb33a60f386a221551cfbfb2905590eeafc562c682',
    )
  })
})
