import { deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { cpuTime } from '../fixtures/cpu-time.ts'
import { readZip } from '../../src/bytes/zip.ts'
import { readAppSource } from '../../src/spin/source/app-source.ts'
import { zipOf } from '../fixtures/zip.ts'

// A small zip claims, or hides, more than memory holds.

const zeros = deflateRawSync(Buffer.alloc(10_000_000))

async function readOnly(zip: Uint8Array): Promise<string> {
  const [content] = (await readZip(zip)).values()
  return new Response((content as Blob).stream()).text()
}

describe('a zip is refused', () => {
  test('when its entries say they are more than the limit together', async () => {
    const entries = Array.from({ length: 30 }, (_, i) => ({
      name: `${i}`,
      deflated: zeros,
      size: 10_000_000,
    }))
    await expect(readAppSource(zipOf(entries))).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
    await expect(
      readAppSource(zipOf(entries.slice(0, 1)), { maxBytes: 9_999_999 }),
    ).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  test('when an entry is longer than it says, as soon as it is', async () => {
    const started = cpuTime()
    await expect(
      readOnly(
        zipOf([{ name: 'a', deflated: deflateRawSync(Buffer.alloc(200_000_000)), size: 300_000 }]),
      ),
    ).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    expect(cpuTime() - started).toBeLessThan(10_000)
  })

  test('when an entry is shorter than it says', async () => {
    await expect(
      readOnly(zipOf([{ name: 'a', deflated: deflateRawSync(Buffer.from('abc')), size: 4 }])),
    ).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })

  test('when a size is beyond what deflate can do', async () => {
    await expect(
      readZip(zipOf([{ name: 'a', deflated: zeros.subarray(0, 10), size: 20_000 }])),
    ).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })

  test('when entries overlap, as in quines and Fifield bombs', async () => {
    const kernel = { name: 'a', text: 'x'.repeat(100) }
    await expect(readZip(zipOf([kernel, { ...kernel, name: 'b', start: 0 }]))).rejects.toThrow(
      'overlap',
    )
    await expect(readZip(zipOf([kernel, { ...kernel, name: 'b', start: 50 }]))).rejects.toThrow(
      'overlap',
    )
    await expect(readZip(zipOf([{ ...kernel, start: 10 }]))).rejects.toThrow('overlap')
  })

  test('when it has more entries than allowed', async () => {
    const entries = Array.from({ length: 11 }, (_, i) => ({ name: `${i}` }))
    await expect(readZip(zipOf(entries), { maxEntries: 10 })).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
  })

  test('when it says it has fewer entries than it has, or more', async () => {
    for (const count of [1, 3])
      await expect(readZip(zipOf([{ name: 'a' }, { name: 'b' }], { count }))).rejects.toMatchObject(
        { code: 'ERR_CONTENT_INVALID' },
      )
  })

  test('when its directory lies elsewhere than it says', async () => {
    for (const end of [{ start: 1 }, { size: 3 }, { gap: new Uint8Array(9), start: 31 }]) {
      await expect(readZip(zipOf([{ name: 'a' }], end))).rejects.toMatchObject({
        code: 'ERR_CONTENT_INVALID',
      })
    }
  })

  test('when it is zip64, or one of several parts', async () => {
    const locator = new Uint8Array(20)
    locator.set([0x50, 0x4b, 0x06, 0x07])
    for (const end of [{ locator }, { count: 0xffff }, { start: 0xffffffff }, { disk: 1 }])
      await expect(readZip(zipOf([{ name: 'a' }], end))).rejects.toMatchObject({
        code: 'ERR_UNSUPPORTED',
      })
  })

  test('when data goes on for megabytes after its end', async () => {
    const deflated = Buffer.concat([deflateRawSync(Buffer.from('abc')), Buffer.alloc(5_000_000)])
    const started = cpuTime()
    await expect(readOnly(zipOf([{ name: 'a', deflated, text: 'abc' }]))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
    expect(cpuTime() - started).toBeLessThan(5_000)
  })

  test('when a checksum is wrong', async () => {
    await expect(readOnly(zipOf([{ name: 'a', text: 'abc', crc: 1 }]))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })
})
