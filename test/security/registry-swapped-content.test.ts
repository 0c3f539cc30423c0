import { expect, it } from 'vitest'
import { readBounded } from '../../src/bytes/stream.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { IMAGE_MANIFEST } from '../../src/oci/manifest.ts'
import { blobOf, manifestOf } from '../registry/artifacts.ts'
import { openHostile } from '../registry/hostile.ts'

const refused = { code: 'ERR_DIGEST_MISMATCH' }

it.each(['evil!', 'evil!!!'])(
  'a blob that came as %j in place of other bytes is refused, collected or streamed',
  async (text) => {
    const { descriptor } = await blobOf('good!')
    const registry = openHostile(() => new Response(text))
    await expect(
      registry.fetch(descriptor).then((s) => readVerified(s, descriptor)),
    ).rejects.toMatchObject(refused)
    await expect(
      registry.fetch(descriptor).then((stream) => readBounded(stream, 100, 'it')),
    ).rejects.toMatchObject(refused)
  },
)

it('a blob that stays shorter than it should be is a download that was cut, and no blob', async () => {
  const { descriptor } = await blobOf('good!')
  const registry = openHostile(() => new Response('evi'))
  await expect(
    registry.fetch(descriptor).then((s) => readVerified(s, descriptor)),
  ).rejects.toMatchObject({ code: 'ERR_NETWORK' })
})

it('a manifest that is not the one of the digest is refused', async () => {
  const { descriptor } = await manifestOf([])
  const { bytes } = await manifestOf([], { annotations: { a: 'b' } })
  const registry = openHostile(
    () => new Response(bytes, { headers: { 'content-type': IMAGE_MANIFEST } }),
  )
  await expect(registry.fetch(descriptor)).rejects.toMatchObject(refused)
})
