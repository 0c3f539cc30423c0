import { expect, it } from 'vitest'
import { endless, openHostile } from '../registry/hostile.ts'

it('an endless error body is read up to a limit, and the status reported', async () => {
  const { body, taken } = endless()
  const registry = openHostile(
    ({ method }) => new Response(method === 'HEAD' ? null : body, { status: 400 }),
  )
  await expect(registry.resolve('v1')).rejects.toMatchObject({ status: 400 })
  expect(taken()).toBeLessThan(200_000)
})
