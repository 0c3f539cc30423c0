import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeChunks } from '../../src/node/write-chunks.ts'

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
})
