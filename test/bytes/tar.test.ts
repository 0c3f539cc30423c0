import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { cursorOn, cursorOver } from '../../src/bytes/cursor.ts'
import { SpindleError } from '../../src/errors.ts'
import { sliceableOf } from '../../src/bytes/sliceable.ts'
import { concat } from '../../src/bytes/stream.ts'
import { type TarFile, tarSizeOf, writeTar } from '../../src/bytes/tar.ts'
import { readTar, type UntarOptions } from '../../src/bytes/untar.ts'

const root = mkdtempSync(join(tmpdir(), 'spindle-tar-'))
afterAll(() => rmSync(root, { recursive: true }))

const options: UntarOptions = { what: 'the archive' }

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return concat(all)
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function list(
  tar: Uint8Array,
  chunk = 1000,
  more: Partial<UntarOptions> = {},
): Promise<{ path: string; kind: string; text: string }[]> {
  const found = []
  for await (const entry of readTar(cursorOver(cut(tar, chunk)), { ...options, ...more })) {
    found.push({
      path: entry.path,
      kind: entry.kind,
      text: Buffer.from(await entry.bytes()).toString(),
    })
  }
  return found
}

const file = (path: string, text: string): TarFile => ({ path, content: Buffer.from(text) })
const long = `${'directory/'.repeat(14)}${'n'.repeat(60)}.txt`
const samples = [
  file('a.txt', 'A'),
  file('empty', ''),
  file('ünï/文字.txt', 'é'.repeat(300)),
  file(long, 'deep'),
  file(`${'ü'.repeat(49)}x`, '99'),
  file('b'.repeat(100), '100'),
  file('c'.repeat(101), '101'),
]

describe('writeTar', () => {
  test('is read by GNU tar', async () => {
    const path = join(root, 'out.tar')
    writeFileSync(path, await collect(writeTar(samples)))
    const target = join(root, 'out')
    mkdirSync(target)
    execFileSync('tar', ['-xf', path, '-C', target])
    for (const { path: name, content } of samples)
      expect(readFileSync(join(target, name))).toEqual(Buffer.from(content as Uint8Array))
    expect(
      execFileSync('tar', ['--numeric-owner', '-tvf', path], {
        env: { ...process.env, TZ: 'UTC' },
      }).toString(),
    ).toMatch(/^-rw-r--r-- 0\/0 +1 1970-01-01 00:00 a\.txt$/m)
  })

  test('knows its size beforehand', async () => {
    expect((await collect(writeTar(samples))).length).toBe(tarSizeOf(samples))
  })

  test('rejects content that has become longer or shorter', async () => {
    for (const text of ['xx', 'xxxx']) {
      const content = { size: 3, stream: () => new Blob([text]).stream() }
      await expect(collect(writeTar([{ path: 'a', content }]))).rejects.toMatchObject({
        code: 'ERR_DIGEST_MISMATCH',
      })
    }
  })
})

describe('readTar', () => {
  test('gives back what was written, whatever the chunks', async () => {
    const names = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 150 })
      .map((name) => name.replaceAll('\0', '_'))
    const files = fc.array(
      fc.record({ path: names, content: fc.uint8Array({ maxLength: 1500 }) }),
      { maxLength: 8 },
    )
    await fc.assert(
      fc.asyncProperty(files, fc.integer({ min: 1, max: 2000 }), async (written, chunk) => {
        const tar = await collect(writeTar(written))
        const found = []
        for await (const entry of readTar(cursorOver(cut(tar, chunk)), options))
          found.push({ path: entry.path, content: await entry.bytes() })
        expect(found.map(({ path }) => path)).toEqual(written.map(({ path }) => path))
        expect(
          found.every(
            ({ content }, i) => Buffer.compare(content, written[i]?.content as Uint8Array) === 0,
          ),
        ).toBe(true)
      }),
    )
  })

  test.each(['gnu', 'pax', 'ustar', 'v7'])('reads the %s form of GNU tar', async (format) => {
    const source = join(root, format)
    const names = [
      'a.txt',
      'dir/b.txt',
      ...(format === 'v7' ? [] : [`${'p'.repeat(90)}/${'q'.repeat(60)}`]),
      ...(format === 'gnu' || format === 'pax' ? [long, 'ünï/文字.txt'] : []),
    ]
    for (const name of names) {
      mkdirSync(dirname(join(source, name)), { recursive: true })
      writeFileSync(join(source, name), `content of ${name}`)
    }
    const tar = execFileSync('tar', ['--format', format, '-C', source, '-cf', '-', ...names])
    expect(await list(tar)).toEqual(
      names.map((path) => ({ path, kind: 'file', text: `content of ${path}` })),
    )
  })

  test('says what is a folder and what is a link', async () => {
    const source = join(root, 'kinds')
    mkdirSync(join(source, 'd'), { recursive: true })
    execFileSync('ln', ['-s', '/etc/passwd', join(source, 'd/l')])
    const tar = execFileSync('tar', ['-C', source, '-cf', '-', 'd'])
    expect((await list(tar)).map(({ kind }) => kind)).toEqual(['directory', 'link'])
  })

  test('reads base-256 sizes', async () => {
    const tar = await collect(writeTar([file('a', 'abc')]))
    tar.set([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3], 124)
    expect(await list(withChecksum(tar))).toEqual([{ path: 'a', kind: 'file', text: 'abc' }])
  })

  test('skips without reading where it can', async () => {
    const tar = await collect(writeTar(samples))
    const found = []
    for await (const entry of readTar(cursorOn(sliceableOf(tar)), options))
      found.push([
        entry.path,
        Buffer.from(tar.subarray(entry.offset, entry.offset + entry.size)).toString(),
      ])
    expect(found).toEqual(
      samples.map(({ path, content }) => [path, Buffer.from(content as Uint8Array).toString()]),
    )
  })

  test('rejects an archive that is cut off inside an entry', async () => {
    const tar = await collect(writeTar([file('a', 'x'.repeat(600)), file(long, 'b')]))
    for (let length = 1; length < tar.length - 1024; length += 37) {
      const boundary = length % 512 === 0 && [1536].includes(length)
      if (!boundary)
        await expect(list(tar.subarray(0, length))).rejects.toMatchObject({
          code: 'ERR_CONTENT_INVALID',
        })
    }
  })

  test('bounds entries, extended headers and the bytes of one entry', async () => {
    const tar = await collect(writeTar([file('a', 'abc'), file('b', 'abc')]))
    await expect(list(tar, 1000, { maxEntries: 1 })).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
    await expect(list(tar, 1000, { maxBytes: 2 })).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
    const huge = await collect(writeTar([file('n'.repeat(70_000), '')]))
    await expect(list(huge)).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  test('fails only with a coded error, whatever comes', async () => {
    const good = await collect(writeTar([file('a', 'abc'), file(long, 'b')]))
    const pax = execFileSync('tar', ['--format', 'pax', '-C', root, '-cf', '-', 'pax'])
    const edits = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 255 })),
      { minLength: 1, maxLength: 6 },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(good, pax),
        edits,
        fc.boolean(),
        fc.integer({ min: 100, max: 3000 }),
        async (base, changes, repair, chunk) => {
          const bytes = Uint8Array.from(base)
          for (const [at, value] of changes) bytes[at % bytes.length] = value
          if (repair) withChecksum(bytes)
          try {
            await list(bytes, chunk)
          } catch (error) {
            expect(error).toBeInstanceOf(SpindleError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

function withChecksum(tar: Uint8Array): Uint8Array {
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    const block = tar.subarray(at, at + 512)
    if (Buffer.from(block.subarray(257, 262)).toString() !== 'ustar') continue
    block.set(Buffer.from('        '), 148)
    block.set(
      Buffer.from(
        `${block
          .reduce((sum, byte) => sum + byte, 0)
          .toString(8)
          .padStart(6, '0')}\0 `,
      ),
      148,
    )
  }
  return tar
}
