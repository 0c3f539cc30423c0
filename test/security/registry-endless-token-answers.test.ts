import { expect, it } from 'vitest'
import { endless, openHostile } from '../registry/hostile.ts'

it('an endless answer of a token service is read up to a limit', async () => {
  const { body, taken } = endless()
  const challenge = { 'www-authenticate': 'Bearer realm="https://registry.test/token"' }
  const registry = openHostile((request) =>
    request.url.includes('/token')
      ? new Response(body)
      : new Response(null, { status: 401, headers: challenge }),
  )
  await expect(registry.resolve('v1')).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  expect(taken()).toBeLessThan(300_000)
})
