import { expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { type ChunkReader, chunksOf, watchStream } from '../../src/bytes/stream.ts'
import { readVerified, verifyStream } from '../../src/bytes/verified.ts'
import type { Descriptor } from '../../src/types.ts'

const part = (byte: number): Uint8Array => new Uint8Array(3).fill(byte)
const parts = [part(1), part(2), part(3)]

/** Gives its parts, then waits until it is cancelled, as a connection does. */
function standing(given: readonly Uint8Array[]): ChunkReader & { left: () => unknown } {
  const rest = given.values()
  let left: unknown
  let answer = (): void => {}
  return {
    left: () => left,
    async read() {
      const { done, value } = rest.next()
      if (done !== true) return { done: false, value }
      await new Promise<void>((resolve) => (answer = resolve))
      return { done: true, value: undefined }
    },
    async cancel(reason) {
      left = { reason }
      answer()
    },
  }
}

async function descriptorOf(bytes: Uint8Array): Promise<Descriptor> {
  return { mediaType: 'text/plain', digest: await digestOf(bytes), size: bytes.length }
}

it('a stream that was begun by somebody else goes on where they left it', async () => {
  const stream = watchStream(new Blob(parts as Uint8Array<ArrayBuffer>[]).stream(), {})
  const first = stream.getReader()
  const { value } = await first.read()
  first.releaseLock()
  const rest: number[] = [...value!]
  for await (const chunk of chunksOf(stream)) rest.push(...chunk)
  expect(rest).toEqual(parts.flatMap((bytes) => [...bytes]))
})

it('a stream that is read belongs to its reader alone', async () => {
  const stream = watchStream(standing(parts), {})
  const chunks = chunksOf(stream)
  await chunks.next()
  expect(stream.locked).toBe(true)
  await expect(chunksOf(stream).next()).rejects.toThrow(TypeError)
  await chunks.return(undefined)
})

it('an abort ends the wait for a checked chunk with its reason, and lets the source go', async () => {
  const source = standing([part(1)])
  const stream = verifyStream(source, await descriptorOf(new Uint8Array(9)))
  const stop = new AbortController()
  const reason = new Error('no more')
  const chunks = chunksOf(stream, stop.signal)
  await chunks.next()
  const next = chunks.next()
  stop.abort(reason)
  // Not that it was cut off, which it was too.
  await expect(next).rejects.toBe(reason)
  expect(source.left()).toBeDefined()
})

it('what is left while it is opened is let go when it is there', async () => {
  const source = standing([])
  let open: ((source: ChunkReader) => void) | undefined
  const stream = watchStream(() => new Promise<ChunkReader>((resolve) => (open = resolve)), {})
  const reader = stream.getReader()
  const read = reader.read()
  await expect.poll(() => open).toBeDefined()
  await reader.cancel()
  open!(source)
  expect(await read).toEqual({ done: true, value: undefined })
  await expect.poll(source.left).toBeDefined()
})

it('what breaks on the way is told once, and breaks the walk', async () => {
  const broken = new Error('broken')
  const told: unknown[] = []
  const stream = watchStream(standing(parts), {
    chunk(bytes) {
      if (bytes[0] === 2) throw broken
    },
    failure: (error) => told.push(error),
  })
  const seen: number[] = []
  const walk = async (): Promise<void> => {
    for await (const chunk of chunksOf(stream)) seen.push(chunk[0]!)
  }
  await expect(walk()).rejects.toBe(broken)
  expect([seen, told]).toEqual([[1], [broken]])
})

it('a checked stream is checked whichever way it is read', async () => {
  const bytes = new Uint8Array(9).fill(7)
  const descriptor = await descriptorOf(bytes)
  const of = (given: Uint8Array): ReadableStream<Uint8Array> =>
    verifyStream(new Blob([given as Uint8Array<ArrayBuffer>]).stream(), descriptor)
  const walk = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    for await (const chunk of chunksOf(stream)) expect(chunk.length).toBeGreaterThan(0)
  }
  const ways = [
    walk,
    (stream: ReadableStream<Uint8Array>) => new Response(stream).arrayBuffer(),
    (stream: ReadableStream<Uint8Array>) => readVerified(stream, descriptor),
  ]
  for (const way of ways) {
    await way(of(bytes))
    for (const other of [new Uint8Array(9), bytes.subarray(1), new Uint8Array(10)])
      await expect(way(of(other))).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  }
})
