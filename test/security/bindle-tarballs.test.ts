import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { packStandalone, unpackStandalone } from '../../src/bindle/standalone.ts'
import { concat } from '../../src/bytes/stream.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import type { Content } from '../../src/types.ts'
import { tarOf } from '../fixtures/artifact.ts'
import { between, bindleOf, clientOf } from '../bindle/small-bindle.ts'

// A tarball from a stranger leads out of its folder, or its parcels are not what its invoice says.

const INVOICE = 'bindleVersion = "1.0.0"\n[bindle]\nname = "team/app"\nversion = "1.0.0"\n'

describe('a standalone bindle', () => {
  it.each([
    ['a hard link', '1'],
    ['a symbolic link', '2'],
    ['a character device', '3'],
    ['a block device', '4'],
    ['a pipe', '6'],
    ['something unknown', 'Z'],
  ])('with %s is refused', async (_, type) => {
    const tar = tarOf({ 'x/invoice.toml': INVOICE }, type)
    await expect(unpackStandalone(gzipSync(tar))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })

  it.each(['../invoice.toml', '/invoice.toml', 'x/../../invoice.toml', 'x/./../invoice.toml'])(
    'with the path %s is refused',
    async (path) => {
      const tar = tarOf({ [path]: INVOICE })
      await expect(unpackStandalone(gzipSync(tar))).rejects.toMatchObject({
        code: 'ERR_CONTENT_INVALID',
      })
    },
  )

  it('whose parcels are other than their labels sends none of them', async () => {
    const bindle = await bindleOf(['red', 'green'])
    const [first = ''] = bindle.parcels.keys()
    const parcels = new Map<string, Uint8Array | Content>(bindle.parcels).set(
      first,
      encodeUtf8('bad'),
    )
    const chunks: Uint8Array[] = []
    for await (const chunk of packStandalone({ ...bindle, parcels })) chunks.push(chunk)
    const read = await unpackStandalone(concat(chunks))
    const sent: string[] = []
    const server = between(createBindleHandler(), async (request) => {
      if (request.url.includes('@')) sent.push(await request.clone().text())
      return undefined
    })
    await expect(pushStandalone(clientOf(server), read)).rejects.toMatchObject({
      code: 'ERR_DIGEST_MISMATCH',
    })
    expect(sent).not.toContain('bad')
  })
})
