import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SpindleError } from '../../src/errors.ts'
import { gunzip, gzip } from '../../src/bytes/gzip.ts'
import { concat } from '../../src/bytes/stream.ts'

async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : (sizes[i % sizes.length] as number)
    yield bytes.subarray(at, at + size)
    at += size
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return concat(all)
}

const open = { maxBytes: 1 << 24, what: 'the archive' }

/** Not random, but nothing that compresses to nothing. */
function text(size: number): Uint8Array {
  let state = 1
  return Uint8Array.from({ length: size }, () => {
    state = (state * 1103515245 + 12345) & 0x7fffffff
    return 97 + ((state >> 16) % 20)
  })
}

describe('gzip', () => {
  test('is read by zlib and by itself, whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5000 }),
        fc.array(fc.integer({ min: 1, max: 999 }), { maxLength: 5 }),
        async (bytes, sizes) => {
          const packed = await collect(gzip(cut(bytes, sizes)))
          expect(Buffer.compare(gunzipSync(packed), bytes)).toBe(0)
          expect(Buffer.compare(await collect(gunzip(cut(packed, sizes), open)), bytes)).toBe(0)
        },
      ),
    )
  })

  test.each([0, 65535, 65536, 65537, 131072, 300_000])(
    'gives the same bytes for %i bytes however they are cut',
    async (size) => {
      const bytes = text(size)
      const whole = await collect(gzip(cut(bytes, [])))
      for (const sizes of [[1000], [65536], [65535, 2], [70_001]]) {
        expect(Buffer.compare(await collect(gzip(cut(bytes, sizes))), whole)).toBe(0)
      }
      expect(Buffer.compare(gunzipSync(whole), bytes)).toBe(0)
    },
  )

  test('writes no time, no name, and one member', async () => {
    const packed = await collect(gzip(cut(text(100), [])))
    expect([...packed.subarray(0, 10)]).toEqual([31, 139, 8, 0, 0, 0, 0, 0, 0, 3])
  })

  test('never changes its bytes', async () => {
    const packed = await collect(gzip(cut(text(1 << 20), [])))
    expect(createHash('sha256').update(packed).digest('hex')).toBe(
      '638d625faee9e67b0b056c24efd315a3a30a999ec425356a7b3ba8ce853134cd',
    )
  })
})

describe('gunzip', () => {
  test('reads what zlib writes at any level', async () => {
    const bytes = text(200_000)
    for (const level of [0, 1, 6, 9]) {
      expect(
        Buffer.compare(await collect(gunzip(cut(gzipSync(bytes, { level }), [777]), open)), bytes),
      ).toBe(0)
    }
  })

  test('reads a header with all optional fields, in single bytes', async () => {
    const plain = gzipSync(text(50))
    const fields = Buffer.from([31, 139, 8, 31, 0, 0, 0, 0, 0, 3, 2, 0, 1, 2, 110, 0, 99, 0, 0, 0])
    const packed = Buffer.concat([fields, plain.subarray(10)])
    expect(Buffer.compare(await collect(gunzip(cut(packed, [1]), open)), text(50))).toBe(0)
  })

  test.each([[1], [7], [20_000]])('stops after the first member, chunks of %i', async (size) => {
    const first = gzipSync(text(100))
    for (const rest of [
      first,
      Buffer.from('junk'),
      Buffer.alloc(3),
      Buffer.alloc(100_000),
      Buffer.from([31, 139, 8, 8, 0, 0, 0, 0, 0, 0, 65, 65]),
    ]) {
      const packed = Buffer.concat([first, rest])
      expect(Buffer.compare(await collect(gunzip(cut(packed, [size]), open)), text(100))).toBe(0)
    }
  })

  test('rejects what is cut off, anywhere before the trailer', async () => {
    const small = gzipSync(text(300))
    // Stored, in two blocks: the first ends at a byte, so that nothing but the missing end tells.
    const stored = gzipSync(text(70_000), { level: 0 })
    const cuts = [
      ...Array.from({ length: small.length - 8 }, (_, length) => small.subarray(0, length)),
      ...[15, 5000, 32_000, 65_549, 65_550, 65_551, 70_000].map((length) =>
        stored.subarray(0, length),
      ),
      ...Array.from({ length: 40 }, (_, i) => stored.subarray(0, 32_768 + i)),
    ]
    for (const bytes of cuts) {
      await expect(collect(gunzip(cut(bytes, [6400]), open))).rejects.toMatchObject({
        code: 'ERR_CONTENT_INVALID',
      })
    }
  })

  test('fails only with a coded error, whatever comes', async () => {
    const good = gzipSync(text(2000))
    const damaged = fc
      .array(
        fc.tuple(fc.integer({ min: 0, max: good.length - 1 }), fc.integer({ min: 0, max: 255 })),
        { minLength: 1, maxLength: 5 },
      )
      .map((edits) => {
        const bytes = Uint8Array.from(good)
        for (const [at, value] of edits) bytes[at] = value
        return bytes
      })
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(damaged, fc.uint8Array({ maxLength: 300 })),
        fc.integer({ min: 1, max: 3000 }),
        async (bytes, size) => {
          try {
            await collect(gunzip(cut(bytes, [size]), { ...open, maxBytes: 100_000 }))
          } catch (error) {
            expect(error).toBeInstanceOf(SpindleError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})
