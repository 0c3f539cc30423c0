import { expect, it } from 'vitest'
import { readVerified } from '../../src/bytes/verified.ts'
import { blobOf } from '../registry/artifacts.ts'
import { endless, openHostile } from '../registry/hostile.ts'

it('an endless blob is left as soon as it is longer than its descriptor says', async () => {
  const { body, taken } = endless()
  const { descriptor } = await blobOf('small')
  const stream = await openHostile(() => new Response(body)).fetch(descriptor)
  await expect(readVerified(stream, descriptor)).rejects.toMatchObject({
    code: 'ERR_DIGEST_MISMATCH',
  })
  expect(taken()).toBeLessThan(300_000)
})

it('so is one that is read whole', async () => {
  const { body, taken } = endless()
  const { descriptor } = await blobOf('small')
  const store = openHostile(() => new Response(body))
  await expect(store.whole(descriptor)).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  expect(taken()).toBeLessThan(300_000)
})
