import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { concat } from '../../src/bytes/stream.ts'
import { writeTar } from '../../src/bytes/tar.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { canonicalName, parseBindleId } from '../../src/bindle/id.ts'
import {
  formatStandalone,
  packStandalone,
  parseStandalone,
  unpackStandalone,
} from '../../src/bindle/standalone.ts'
import { bindleOf } from './small-bindle.ts'

const collect = async (chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> => {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return concat(all)
}
const tarGz = async (files: Record<string, string>): Promise<Uint8Array> =>
  gzipSync(
    await collect(
      writeTar(Object.entries(files).map(([path, text]) => ({ path, content: encodeUtf8(text) }))),
    ),
  )

const INVOICE = 'bindleVersion = "1.0.0"\n[bindle]\nname = "team/app"\nversion = "1.0.0"\n'

describe('a standalone bindle', () => {
  it('lies in the folder that servers and CLIs look for', async () => {
    const bindle = await bindleOf(['red', 'green'])
    const folder = await canonicalName(bindle.id)
    const files = await formatStandalone(bindle)
    expect([...files.keys()]).toEqual([
      `${folder}/invoice.toml`,
      ...[...bindle.parcels.keys()].sort().map((sha) => `${folder}/parcels/${sha}.dat`),
    ])
    expect(await parseStandalone(files)).toMatchObject({ invoice: bindle.invoice })
    expect(await parseStandalone(files, bindle.id)).toMatchObject({ invoice: bindle.invoice })
  })

  it('comes back from its tarball, whose bytes depend on nothing else', async () => {
    const bindle = await bindleOf(['red', 'green'])
    const tarball = await collect(packStandalone(bindle))
    expect(await collect(packStandalone(bindle))).toEqual(tarball)
    expect(await unpackStandalone(tarball)).toEqual(
      expect.objectContaining({ invoice: bindle.invoice, parcels: bindle.parcels }),
    )
  })

  it('may be partial', async () => {
    const bindle = await bindleOf(['red'])
    expect(
      (await parseStandalone(await formatStandalone({ ...bindle, parcels: new Map() }))).parcels
        .size,
    ).toBe(0)
  })

  it('is found among what Spin leaves beside it, and by id among others', async () => {
    const bindle = await bindleOf(['red'])
    const files = new Map([
      ...(await formatStandalone(bindle)),
      ['downloads/x', new Uint8Array()],
      ['manifests/y', new Uint8Array()],
    ])
    expect(String((await parseStandalone(files)).id)).toBe('team/app/1.0.0')
    const other = new Map([...files, ['another/invoice.toml', encodeUtf8(INVOICE)]])
    await expect(parseStandalone(other)).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    expect(String((await parseStandalone(other, bindle.id)).id)).toBe('team/app/1.0.0')
  })

  it.each([
    ['no invoice', {}, 'ERR_CONTENT_INVALID'],
    [
      'a folder renamed to another id',
      { [`${'0'.repeat(64)}/invoice.toml`]: INVOICE },
      'ERR_CONTENT_INVALID',
    ],
    [
      'a parcel that nobody listed',
      { 'x/invoice.toml': INVOICE, [`x/parcels/${'0'.repeat(64)}.dat`]: 'x' },
      'ERR_CONTENT_INVALID',
    ],
    [
      'a file that is no parcel',
      { 'x/invoice.toml': INVOICE, 'x/parcels/../../evil': 'x' },
      'ERR_CONTENT_INVALID',
    ],
    ['an absolute path', { 'x/invoice.toml': INVOICE, '/etc/passwd': 'x' }, 'ERR_CONTENT_INVALID'],
  ])('with %s is refused', async (_, files, code) => {
    await expect(
      unpackStandalone(await tarGz(files as Record<string, string>)),
    ).rejects.toMatchObject({ code })
  })

  it('that has a path twice is refused', async () => {
    const doubled = await collect(
      writeTar(
        ['red', 'green'].map((text) => ({ path: 'x/invoice.toml', content: encodeUtf8(text) })),
      ),
    )
    await expect(unpackStandalone(gzipSync(doubled))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })

  it('that unpacks to more than was allowed is refused', async () => {
    const bomb = await tarGz({ 'x/invoice.toml': INVOICE, 'x/a': 'a'.repeat(1 << 20) })
    await expect(unpackStandalone(bomb, { maxBytes: 64 * 1024 })).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
  })

  it('that is cut off or no archive at all is refused', async () => {
    const tarball = await collect(packStandalone(await bindleOf(['red'])))
    for (const damaged of [
      tarball.subarray(0, tarball.length / 2),
      encodeUtf8('hello'),
      new Uint8Array(),
    ]) {
      await expect(unpackStandalone(damaged)).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    }
  })

  it('is not taken for another bindle than the one asked for', async () => {
    const files = new Map([['invoice.toml', encodeUtf8(INVOICE)]])
    await expect(parseStandalone(files, parseBindleId('other/1.0.0'))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })
})
