import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { gunzip } from '../../src/bytes/gzip.ts'
import { cursorOver } from '../../src/bytes/cursor.ts'
import { readTar } from '../../src/bytes/untar.ts'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import { buildArtifact, createArtifact, tarOf } from '../fixtures/artifact.ts'

// A small archive unpacks to more than memory or patience holds.

async function filesOf(archive: Uint8Array, maxBytes?: number): Promise<unknown> {
  const store = createArtifact()
  const files = [{ path: 'a.txt', text: 'content', layer: false }]
  const root = await buildArtifact(store, { files, archives: [archive] })
  const app = await unpackApp(root, store, maxBytes === undefined ? {} : { maxBytes })
  return app.files('web')
}

async function* endless(first: Uint8Array, then: Uint8Array): AsyncGenerator<Uint8Array> {
  yield first
  for (;;) yield then
}

async function drain(chunks: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of chunks);
}

const limits = { maxBytes: 10_000_000, what: 'the archive' }

describe('an archive is refused', () => {
  test('when one member is larger than the limit', async () => {
    const bomb = tarOf({ zeros: '\0'.repeat(20_000_000), 'a.txt': 'content' })
    expect(bomb.length).toBeLessThan(30_000)
    await expect(filesOf(bomb, 10_000_000)).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  test('when all members together are', async () => {
    const members = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [`${i}`, '\0'.repeat(1_000_000)]),
    )
    await expect(filesOf(tarOf(members), 10_000_000)).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
  })

  test('when it has no files, but headers without end', async () => {
    const headers = tarOf(
      Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`${i}`, ''])),
      '5',
    )
    await expect(filesOf(headers, 10_000_000)).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  test('when a header claims a size that is not there', async () => {
    const block = Buffer.alloc(512)
    block.write('a')
    block.write('77777777777\0', 124)
    block.write('0', 156)
    block.write('        ', 148)
    block.write(
      `${block
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    )
    await expect(filesOf(gzipSync(block))).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  test('when its gzip header never ends', async () => {
    const head = Uint8Array.from([31, 139, 8, 8, 0, 0, 0, 0, 0, 3])
    await expect(
      drain(gunzip(endless(head, new Uint8Array(1000).fill(97)), limits)),
    ).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })

  test('when it is compressed blocks of nothing without end', async () => {
    // An empty stored block, over and over.
    const empty = Uint8Array.from(
      { length: 5000 },
      (_, i) => [0, 0, 0, 0xff, 0xff][i % 5] as number,
    )
    const head = Uint8Array.from([31, 139, 8, 0, 0, 0, 0, 0, 0, 3])
    await expect(drain(gunzip(endless(head, empty), limits))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })

  test('when names are given for a name without end', async () => {
    async function* names(): AsyncGenerator<Uint8Array> {
      const block = Buffer.alloc(1024)
      block.write('././@LongLink')
      block.write('00000000400\0', 124)
      block.write('L', 156)
      block.write('        ', 148)
      block.write(
        `${block
          .subarray(0, 512)
          .reduce((sum, byte) => sum + byte, 0)
          .toString(8)
          .padStart(6, '0')}\0 `,
        148,
      )
      for (;;) yield block
    }
    await expect(
      drain(readTar(cursorOver(names()), { what: 'it', maxEntries: 10_000 })),
    ).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })
})

test('what follows the first gzip member is not unpacked', async () => {
  const more = Buffer.concat(Array.from({ length: 50 }, () => gzipSync(Buffer.alloc(1_000_000))))
  const tree = (await filesOf(
    Buffer.concat([tarOf({ 'a.txt': 'content' }), more]),
    1_000_000,
  )) as Map<string, unknown>
  expect(tree.size).toBe(1)
})
