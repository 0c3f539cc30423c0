import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { zipSync } from 'fflate'
import { afterAll, describe, expect, test } from 'vitest'
import { crc32 } from '../../src/bytes/gzip.ts'
import { chunksOf, readBounded } from '../../src/bytes/stream.ts'
import { readZip } from '../../src/bytes/zip.ts'
import { SpindleError } from '../../src/errors.ts'
import type { Content } from '../../src/types.ts'
import { zipOf } from '../fixtures/zip.ts'

const root = mkdtempSync(join(tmpdir(), 'spindle-zip-'))
afterAll(() => rmSync(root, { recursive: true }))

async function unzip(bytes: Uint8Array): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const [path, content] of await readZip(bytes)) {
    files[path] = Buffer.from(await readBounded(content, 1e8, path)).toString('latin1')
  }
  return files
}

describe('readZip', () => {
  test('gives back what fflate packs, from bytes and Blobs', async () => {
    const name = fc
      .string({ minLength: 1, maxLength: 30, unit: 'grapheme' })
      .filter((text) => !/[\\/:\p{Cc}\p{Cs}]|^\.+$/u.test(text))
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          name.map((text) => `d/${text}`),
          fc.uint8Array({ maxLength: 3000 }),
          { maxKeys: 8, noNullPrototype: true },
        ),
        fc.constantFrom(0, 6, 9),
        async (files, level) => {
          const zip = zipSync(files, { level: level as 0 })
          const found = await readZip(
            level === 0 ? zip : new Blob([zip as Uint8Array<ArrayBuffer>]),
          )
          expect([...found.keys()].sort()).toEqual(Object.keys(files).sort())
          for (const [path, content] of found) {
            expect(content.size).toBe(files[path]?.length)
            expect(
              Buffer.compare(await readBounded(content, 1e6, path), files[path] as Uint8Array),
            ).toBe(0)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('reads what Python and its streams write', async () => {
    const files = { 'spin.toml': 'toml', 'static/ünï.txt': 'x'.repeat(200_000), empty: '' }
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), text)
    }
    const script =
      'import sys,zipfile\nz=zipfile.ZipFile(sys.stdout.buffer if sys.argv[1]=="stream" else "out.zip","w",zipfile.ZIP_DEFLATED)\n[z.write(n) for n in sys.argv[2:]]\nz.close()'
    // To a pipe it writes sizes behind the data, in data descriptors.
    const piped = execFileSync(
      'python3',
      ['-c', script, 'stream', 'static', ...Object.keys(files)],
      { cwd: root },
    )
    execFileSync('python3', ['-c', script, 'file', 'static', ...Object.keys(files)], { cwd: root })
    for (const zip of [piped, readFileSync(join(root, 'out.zip'))])
      expect(await unzip(zip)).toEqual(files)
  })

  test('unpacks a large entry in bounded steps', async () => {
    const deflated = deflateRawSync(Buffer.alloc(50_000_000))
    const zip = zipOf([
      { name: 'zeros', deflated, size: 50_000_000, crc: crc32(new Uint8Array(50_000_000)) },
    ])
    let most = 0
    let total = 0
    const content = (await readZip(zip)).get('zeros') as Content
    for await (const chunk of chunksOf(content.stream())) {
      most = Math.max(most, chunk.length)
      total += chunk.length
    }
    expect(total).toBe(50_000_000)
    expect(most).toBeLessThan(17 * 1024 * 1024)
  })

  test('can be read again, and left in the middle', async () => {
    const content = (await readZip(zipOf([{ name: 'a', text: 'A' }]))).get('a')
    if (content === undefined) throw new Error('no a')
    await content.stream().cancel()
    for (let i = 0; i < 2; i++)
      expect(Buffer.from(await readBounded(content, 9, 'a')).toString()).toBe('A')
  })

  test('reads an empty zip and one with a comment', async () => {
    expect(await unzip(zipOf([]))).toEqual({})
    expect(
      await unzip(zipOf([{ name: 'a', text: '1' }], { comment: 'PK\u0005\u0006 hello' })),
    ).toEqual({ a: '1' })
  })

  test('fails only with a coded error, whatever comes', async () => {
    const good = zipSync({
      'a.txt': Buffer.from('hello '.repeat(100)),
      'b/c': Buffer.from('stored'),
    })
    const edits = fc.array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(edits, fc.uint8Array({ maxLength: 200 })),
        fc.nat({ max: good.length }),
        async (change, cut) => {
          const bytes = Uint8Array.from(good)
          if (Array.isArray(change)) for (const [at, value] of change) bytes[at] = value
          try {
            await unzip(
              change instanceof Uint8Array
                ? change
                : cut % 5 === 0
                  ? bytes.subarray(0, cut)
                  : bytes,
            )
          } catch (error) {
            expect(error).toBeInstanceOf(SpindleError)
          }
        },
      ),
      { numRuns: 1000 },
    )
  })
})
