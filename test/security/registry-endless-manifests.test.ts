import { expect, it } from 'vitest'
import { IMAGE_MANIFEST } from '../../src/oci/manifest.ts'
import { endless, openHostile } from '../registry/hostile.ts'

it('an endless manifest is read up to a limit', async () => {
  const { body, taken } = endless()
  const registry = openHostile((request) =>
    request.method === 'HEAD'
      ? new Response(null)
      : new Response(body, { headers: { 'content-type': IMAGE_MANIFEST } }),
  )
  await expect(registry.resolve('v1')).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  expect(taken()).toBeLessThan(5_000_000)
})
