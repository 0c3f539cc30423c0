import { expect, it } from 'vitest'
import { blobOf } from '../registry/artifacts.ts'
import { openHostile } from '../registry/hostile.ts'

it.each(['http://evil.test/x', 'file:///x', 'javascript:0'])(
  'an upload is not sent to %s',
  async (location) => {
    const { descriptor, bytes } = await blobOf('x')
    const registry = openHostile(() => new Response(null, { status: 202, headers: { location } }))
    await expect(registry.push(descriptor, bytes)).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
  },
)

it('an upload to another host goes there without credentials', async () => {
  const { descriptor, bytes } = await blobOf('x')
  const seen: (string | null)[] = []
  const registry = openHostile((request) => {
    if (new URL(request.url).host === 'storage.test') {
      seen.push(request.headers.get('authorization'))
      return new Response(null, { status: 201 })
    }
    return request.headers.get('authorization') === null
      ? new Response(null, { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } })
      : new Response(null, { status: 202, headers: { location: 'https://storage.test/up' } })
  })
  await registry.push(descriptor, bytes)
  expect(seen).toEqual([null])
})
