import { type FileHandle, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeChunks } from '../../src/node/files/write-chunks.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spindle-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function write(name: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const file = await open(join(folder, name), 'wx')
  try {
    return await writeChunks(file, chunks)
  } finally {
    await file.close()
  }
}

/** Numbered bytes, in chunks of changing sizes. */
async function* numbered(total: number): AsyncGenerator<Uint8Array> {
  for (let at = 0, size = 1; at < total; size = (size * 7) % 200_003) {
    const length = Math.min(size, total - at)
    yield Uint8Array.from({ length }, (_, i) => (at + i) % 251)
    at += length
  }
}

describe('chunks are written', () => {
  it.each([0, 1, 3_000_000])('in order, all %i bytes of them', async (total) => {
    expect(await write(`of-${total}`, numbered(total))).toBe(total)
    const read = await readFile(join(folder, `of-${total}`))
    expect(read.length).toBe(total)
    expect(read.findIndex((byte, at) => byte !== at % 251)).toBe(-1)
  })

  it('until their source fails, whose error it is', async () => {
    const reason = new Error('the source broke')
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield* numbered(2_000_000)
      throw reason
    }
    await expect(write('broken', breaking())).rejects.toBe(reason)
  })

  it('or not: a file that takes none rejects', async () => {
    const path = join(folder, 'read-only')
    await write('read-only', numbered(10))
    const file = await open(path, 'r')
    try {
      await expect(writeChunks(file, numbered(2_000_000))).rejects.toMatchObject({ code: 'EBADF' })
      await expect(writeChunks(file, numbered(10))).rejects.toMatchObject({ code: 'EBADF' })
    } finally {
      await file.close()
    }
  })

  it('whole, however few of them the system takes at a time', async () => {
    const taken = new Uint8Array(3_000_000)
    const take = async (bytes: Uint8Array, position: number): Promise<{ bytesWritten: number }> => {
      taken.set(bytes, position)
      return { bytesWritten: bytes.length }
    }
    const grudging = {
      writev: (pieces: Uint8Array[], position: number) =>
        take(pieces[0]!.subarray(0, 1000), position),
      write: (bytes: Uint8Array, at: number, length: number, position: number) =>
        take(bytes.subarray(at, at + Math.min(length, 70_000)), position),
    }
    const file = grudging as unknown as FileHandle
    expect(await writeChunks(file, numbered(taken.length))).toBe(taken.length)
    expect(taken.findIndex((byte, at) => byte !== at % 251)).toBe(-1)
  })

  it('two times at once at most, and none is under way at the end', async () => {
    let [under, most] = [0, 0]
    const slow = {
      async writev(pieces: Uint8Array[]) {
        most = Math.max(most, ++under)
        await new Promise((resolve) => setTimeout(resolve, 2))
        under--
        return { bytesWritten: pieces.reduce((sum, { length }) => sum + length, 0) }
      },
    }
    const file = slow as unknown as FileHandle
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield* numbered(3_000_000)
      throw new Error('the source broke')
    }
    await expect(writeChunks(file, breaking())).rejects.toThrow('the source broke')
    expect([under, most]).toEqual([0, 2])
  })
})
