import { expect, it } from 'vitest'
import { always, relayBefore } from '../serve/relay/relay.ts'

// Another port of an allowed host is another service.
it.each([
  'registry.example:22',
  'registry.example:8443',
  'registry.example:80',
  'registry.example:443',
  'registry.example:',
])('a relay for registry.example does not go to %s', async (host) => {
  const { ask, sent } = relayBefore()
  expect((await ask(`/${host}/v2/`)).status).toBe(403)
  expect(sent).toEqual([])
})

it.each([
  'https://registry.example:8443/v2/',
  'https://storage.example:9200/_search',
  'http://registry.example/v2/',
  'http://storage.example:6379/',
])('and does not follow its redirect to %s', async (location) => {
  const { ask, sent } = relayBefore(always(302, { location }))
  expect((await ask('/registry.example/v2/a/manifests/v1')).status).toBe(403)
  expect(sent).toHaveLength(1)
})

it('allows a port that is in the options', async () => {
  const { ask, sent } = relayBefore(always(200), { registries: ['registry.example:5000'] })
  expect((await ask('/registry.example/v2/')).status).toBe(403)
  expect((await ask('/registry.example:5000/v2/')).status).toBe(200)
  expect(sent.map(({ url }) => url)).toEqual(['https://registry.example:5000/v2/'])
})
