import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { readBounded } from '../../../src/bytes/stream.ts'
import { decodeUtf8, encodeUtf8 } from '../../../src/bytes/text.ts'
import { canMove, listAll } from '../../../src/serve/storage/port.ts'
import type { Storage } from '../../../src/serve/storage/port.ts'

const LIMIT = 16 * 1024 * 1024

export async function textAt(storage: Storage, key: string): Promise<string | undefined> {
  const value = await storage.get(key)
  return value === undefined ? undefined : decodeUtf8(await readBounded(value.body, LIMIT, key))
}

function streamOfChunks(
  chunks: readonly Uint8Array[],
  failure?: Error,
): ReadableStream<Uint8Array> {
  let next = 0
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[next++]
        if (chunk !== undefined) controller.enqueue(chunk)
        else if (failure !== undefined) controller.error(failure)
        else controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}

async function keysOf(storage: Storage, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const entry of listAll(storage, prefix)) keys.push(entry.key)
  return keys
}

/** The contract of every storage; `open` opens the same storage again, like a second process. */
export function describeStorage(
  name: string,
  create: () => Promise<{ storage: Storage; open: () => Storage }>,
): void {
  describe(`${name} storage`, () => {
    it('returns stored values with their size, and undefined for missing ones', async () => {
      const { storage } = await create()
      expect(await storage.put('a/b', encodeUtf8('hello'))).toMatchObject({ stored: true })
      expect(await textAt(storage, 'a/b')).toBe('hello')
      expect(await storage.head('a/b')).toMatchObject({ key: 'a/b', size: 5 })
      expect(await storage.head('a')).toBeUndefined()
      expect(await storage.get('a/b/c')).toBeUndefined()
    })

    it('stores bytes, content and streams, also empty ones', async () => {
      const { storage } = await create()
      await storage.put('bytes', new Uint8Array(0))
      await storage.put('content', new Blob(['content']))
      await storage.put(
        'stream',
        streamOfChunks([encodeUtf8('st'), new Uint8Array(0), encodeUtf8('ream')]),
      )
      await storage.put('empty', streamOfChunks([]), { size: 0 })
      expect(await textAt(storage, 'bytes')).toBe('')
      expect(await textAt(storage, 'content')).toBe('content')
      expect(await textAt(storage, 'stream')).toBe('stream')
      expect(await textAt(storage, 'empty')).toBe('')
    })

    it('copies the given array', async () => {
      const { storage } = await create()
      const bytes = encodeUtf8('before')
      await storage.put('key', bytes)
      bytes.fill(0)
      expect(await textAt(storage, 'key')).toBe('before')
    })

    it('reads ranges, clamped to the end of the value', async () => {
      const { storage } = await create()
      await storage.put('key', encodeUtf8('0123456789'))
      const read = async (offset: number, length?: number): Promise<string | undefined> => {
        const value = await storage.get('key', {
          range: length === undefined ? { offset } : { offset, length },
        })
        expect(value?.size).toBe(10)
        return decodeUtf8(await readBounded(value!.body, 10, 'key'))
      }
      expect(await read(0)).toBe('0123456789')
      expect(await read(3, 4)).toBe('3456')
      expect(await read(8, 100)).toBe('89')
      expect(await read(10)).toBe('')
      expect(await read(99, 1)).toBe('')
      expect(await read(5, 0)).toBe('')
    })

    it('stores values larger than one part, read as a whole and in ranges', async () => {
      const { storage } = await create()
      const bytes = new Uint8Array(5 * 1024 * 1024 + 17).map((_, i) => (i * 7) >> 3)
      await storage.put(
        'large',
        streamOfChunks([bytes.subarray(0, 3_000_001), bytes.subarray(3_000_001)]),
        { size: bytes.length },
      )
      const whole = await readBounded((await storage.get('large'))!.body, LIMIT, 'large')
      expect(whole.length).toBe(bytes.length)
      expect(whole.every((byte, i) => byte === bytes[i])).toBe(true)
      const part = await readBounded(
        (await storage.get('large', { range: { offset: 2_097_000, length: 1_100_000 } }))!.body,
        LIMIT,
        'large',
      )
      expect(part.length).toBe(1_100_000)
      expect(part.every((byte, i) => byte === bytes[2_097_000 + i])).toBe(true)
    })

    it('allows cancelling a body', async () => {
      const { storage } = await create()
      await storage.put('large', new Uint8Array(3 * 1024 * 1024))
      const reader = (await storage.get('large'))!.body.getReader()
      await reader.read()
      await reader.cancel()
      await storage.delete('large')
      expect(await storage.head('large')).toBeUndefined()
    })

    it('discards a failing stream and keeps the previous value', async () => {
      const { storage } = await create()
      const broken = new Error('cut')
      await expect(
        storage.put('new', streamOfChunks([new Uint8Array(2_000_000)], broken)),
      ).rejects.toBe(broken)
      expect(await storage.head('new')).toBeUndefined()
      await storage.put('old', encodeUtf8('old'))
      await expect(storage.put('old', streamOfChunks([encodeUtf8('x')], broken))).rejects.toBe(
        broken,
      )
      expect(await textAt(storage, 'old')).toBe('old')
      expect(await keysOf(storage)).toEqual(['old'])
    })

    it('rejects a stream that does not have the announced size', async () => {
      const { storage } = await create()
      await expect(
        storage.put('short', streamOfChunks([encodeUtf8('abc')]), { size: 4 }),
      ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
      await expect(
        storage.put('long', streamOfChunks([encodeUtf8('abc')]), { size: 2 }),
      ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
      expect(await keysOf(storage)).toEqual([])
    })

    it('shows a value only when it is complete', async () => {
      const { storage, open } = await create()
      let feed!: ReadableStreamDefaultController<Uint8Array>
      const slow = new ReadableStream<Uint8Array>({
        start: (controller) => {
          feed = controller
        },
      })
      const put = storage.put('slow', slow)
      feed.enqueue(new Uint8Array(3_000_000))
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(await open().head('slow')).toBeUndefined()
      feed.close()
      await put
      expect(await open().head('slow')).toMatchObject({ size: 3_000_000 })
    })

    it('puts if absent: exactly one of many concurrent writes succeeds', async () => {
      const { storage, open } = await create()
      const views = [storage, open(), open()]
      const results = await Promise.all(
        Array.from({ length: 24 }, (_, i) =>
          views[i % 3]!.put('once', encodeUtf8(`writer ${i}`), { ifAbsent: true }),
        ),
      )
      expect(results.filter((result) => result.stored)).toHaveLength(1)
      const winner = results.findIndex((result) => result.stored)
      expect(await textAt(open(), 'once')).toBe(`writer ${winner}`)
    })

    it('puts if absent during another write: the first complete value stays', async () => {
      const { storage, open } = await create()
      let feed!: ReadableStreamDefaultController<Uint8Array>
      const slow = storage.put(
        'key',
        new ReadableStream<Uint8Array>({
          start: (controller) => {
            feed = controller
          },
        }),
        { ifAbsent: true },
      )
      feed.enqueue(encodeUtf8('slow'))
      expect(await open().put('key', encodeUtf8('fast'), { ifAbsent: true })).toMatchObject({
        stored: true,
      })
      feed.close()
      expect(await slow).toEqual({ stored: false })
      expect(await textAt(storage, 'key')).toBe('fast')
    })

    it('compares and sets: a counter incremented concurrently is correct', async () => {
      const { storage, open } = await create()
      await storage.put('counter', encodeUtf8('0'))
      const views = [storage, open(), open()]
      const raise = async (view: Storage): Promise<void> => {
        for (;;) {
          const value = (await view.get('counter'))!
          const next = Number(decodeUtf8(await readBounded(value.body, 10, 'counter'))) + 1
          if ((await view.put('counter', encodeUtf8(String(next)), { ifMatch: value.etag })).stored)
            return
        }
      }
      await Promise.all(Array.from({ length: 30 }, (_, i) => raise(views[i % 3]!)))
      expect(await textAt(storage, 'counter')).toBe('30')
    })

    it('does not replace another or a missing value', async () => {
      const { storage } = await create()
      expect(await storage.put('key', encodeUtf8('x'), { ifMatch: 'anything' })).toEqual({
        stored: false,
      })
      const first = await storage.put('key', encodeUtf8('1'))
      const head = (await storage.head('key'))!
      expect(first).toEqual({ stored: true, etag: head.etag })
      const second = await storage.put('key', encodeUtf8('2'), { ifMatch: head.etag })
      expect(second.stored).toBe(true)
      expect((await storage.get('key'))!.etag).not.toBe(head.etag)
      expect(await storage.put('key', encodeUtf8('3'), { ifMatch: head.etag })).toEqual({
        stored: false,
      })
      expect(await textAt(storage, 'key')).toBe('2')
    })

    it('does not read a stream to its end when a condition has failed already', async () => {
      const { storage } = await create()
      await storage.put('key', encodeUtf8('there'))
      let cancelled = false
      const endless = new ReadableStream<Uint8Array>(
        {
          pull: (controller) => controller.enqueue(new Uint8Array(1000)),
          cancel: () => {
            cancelled = true
          },
        },
        { highWaterMark: 0 },
      )
      expect(await storage.put('key', endless, { ifAbsent: true })).toEqual({ stored: false })
      expect(cancelled).toBe(true)
    })

    it('deletes existing and missing values', async () => {
      const { storage } = await create()
      await storage.put('a/b/c', encodeUtf8('x'))
      await storage.delete('a/b/c')
      await storage.delete('a/b/c')
      await storage.delete('never/was')
      expect(await storage.head('a/b/c')).toBeUndefined()
      expect(await keysOf(storage)).toEqual([])
    })

    it('lists by prefix in order, in pages', async () => {
      const { storage } = await create()
      const keys = ['a', 'a-b', 'a.b', 'a/b', 'a/b/c', 'a0', 'b/1', 'b/10', 'b/2', 'B', '_z']
      for (const key of keys) await storage.put(key, encodeUtf8(key))
      expect(await keysOf(storage)).toEqual([...keys].sort())
      expect(await keysOf(storage, 'a/')).toEqual(['a/b', 'a/b/c'])
      expect(await keysOf(storage, 'b/1')).toEqual(['b/1', 'b/10'])
      expect(await keysOf(storage, 'none/')).toEqual([])
      const page = await storage.list('a', { limit: 2 })
      expect(page).toMatchObject({
        entries: [
          { key: 'a', size: 1 },
          { key: 'a-b', size: 3 },
        ],
        more: true,
      })
      expect(
        (await storage.list('a', { limit: 2, after: 'a/b' })).entries.map(({ key }) => key),
      ).toEqual(['a/b/c', 'a0'])
      expect(await storage.list('b/', { after: 'b/2' })).toEqual({ entries: [], more: false })
    })

    it('distinguishes keys that a file system may not', async () => {
      const { storage } = await create()
      const keys = [
        'case',
        'Case',
        'CASE',
        'con',
        'CON',
        'con.txt',
        'nul',
        'a.',
        'a',
        '.hidden',
        '%41',
        'A',
        'a%',
        'a%/b',
        'a=',
        'x:y',
        'x*y',
        'x|y',
        'q?',
        '"',
        '<',
        '>',
        'L'.repeat(128),
        'l'.repeat(128),
        `${'l'.repeat(128)}/x`,
        'l'.repeat(255),
        'l'.repeat(80),
        'l'.repeat(79),
        '__proto__',
        'constructor',
      ]
      for (const key of keys) await storage.put(key, encodeUtf8(key))
      for (const key of keys) expect(await textAt(storage, key)).toBe(key)
      expect(await keysOf(storage)).toEqual([...keys].sort())
    })

    it('rejects invalid keys', async () => {
      const { storage } = await create()
      for (const key of [
        '',
        '/',
        '/a',
        'a/',
        'a//b',
        '.',
        '..',
        'a/../b',
        './a',
        'a\\b',
        'a b',
        'a\n',
        'ä',
        '\0',
        'x'.repeat(769),
      ]) {
        await expect(storage.get(key), key).rejects.toThrow(TypeError)
        await expect(storage.put(key, encodeUtf8('x')), key).rejects.toThrow(TypeError)
        await expect(storage.delete(key), key).rejects.toThrow(TypeError)
      }
    })

    it('moves values, if supported', async () => {
      const { storage } = await create()
      if (!canMove(storage)) return
      await storage.put('from', encodeUtf8('moved'))
      expect(await storage.move('from', 'deep/to', { ifAbsent: true })).toMatchObject({
        stored: true,
      })
      expect(await textAt(storage, 'deep/to')).toBe('moved')
      expect(await storage.head('from')).toBeUndefined()
      await storage.put('from', encodeUtf8('again'))
      expect(await storage.move('from', 'deep/to', { ifAbsent: true })).toEqual({ stored: false })
      expect(await textAt(storage, 'from')).toBe('again')
      expect(await storage.move('from', 'deep/to')).toMatchObject({ stored: true })
      expect(await textAt(storage, 'deep/to')).toBe('again')
      expect(await storage.move('never', 'to')).toEqual({ stored: false })
    })

    it('behaves like a sorted map under any sequence of operations', async () => {
      const key = fc.constantFrom('a', 'a/b', 'A', 'a-', 'b', 'b/c/d', 'b/c', 'l'.repeat(100))
      const step = fc.oneof(
        fc.record({
          do: fc.constant('put' as const),
          key,
          text: fc.string({ maxLength: 5 }),
          ifAbsent: fc.boolean(),
        }),
        fc.record({ do: fc.constant('delete' as const), key }),
        fc.record({
          do: fc.constant('list' as const),
          prefix: fc.constantFrom('', 'a', 'b/', 'l'),
          after: fc.option(key, { nil: undefined }),
          limit: fc.integer({ min: 1, max: 4 }),
        }),
      )
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
          const { storage } = await create()
          const model = new Map<string, string>()
          for (const s of steps) {
            if (s.do === 'put') {
              const expected = !(s.ifAbsent && model.has(s.key))
              const { stored } = await storage.put(s.key, encodeUtf8(s.text), {
                ifAbsent: s.ifAbsent,
              })
              expect(stored).toBe(expected)
              if (expected) model.set(s.key, decodeUtf8(encodeUtf8(s.text))!)
            } else if (s.do === 'delete') {
              await storage.delete(s.key)
              model.delete(s.key)
            } else {
              const all = [...model.keys()]
                .sort()
                .filter((k) => k.startsWith(s.prefix) && (s.after === undefined || k > s.after))
              const { entries, more } = await storage.list(s.prefix, {
                limit: s.limit,
                ...(s.after !== undefined && { after: s.after }),
              })
              expect(entries.map((entry) => entry.key)).toEqual(all.slice(0, s.limit))
              expect(more).toBe(all.length > s.limit)
            }
          }
          for (const k of model.keys()) expect(await textAt(storage, k)).toBe(model.get(k))
        }),
        { numRuns: 40 },
      )
    })
  })
}
