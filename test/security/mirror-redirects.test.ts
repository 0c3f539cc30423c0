import { describe, expect, it } from 'vitest'
import { createMirrorFetch } from '../../src/registry/mirror-fetch.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pushArtifact } from '../registry/artifacts.ts'

const SECRET = `Basic ${btoa('ann:secret')}`
const bytes = new Uint8Array(5000).fill(7)

/** Pulls from a registry with a login through a mirror that redirects wherever it is told to. */
async function pullThrough(
  mirror: string,
  redirect: (url: URL) => string,
): Promise<{ asked: string[]; pulled: () => Promise<unknown> }> {
  const registry = createRegistryHandler()
  await pushArtifact(createRepository('up.test/t/a', { fetch: registry.fetch }), bytes, 'v1')
  const asked: string[] = []
  const fetch = async (request: Request): Promise<Response> => {
    const url = new URL(request.url)
    const login = request.headers.get('authorization')
    asked.push(`${url.origin}${url.pathname} ${login ?? 'no login'}`)
    if (url.origin === mirror)
      return new Response(null, { status: 307, headers: { location: redirect(url) } })
    if (url.host !== 'up.test') return registry.fetch(new Request(`https://up.test${url.pathname}`))
    if (login === SECRET) return registry.fetch(request)
    const headers = { 'www-authenticate': 'Basic realm="up"' }
    return new Response(null, { status: 401, headers })
  }
  const store = createMemoryStore()
  return {
    asked,
    async pulled() {
      await copy(
        'up.test/t/a:v1',
        { store, ref: 'v1' },
        {
          fetch: createMirrorFetch({ 'up.test': [mirror] }, { fetch }),
          credentials: () => ({ username: 'ann', password: 'secret' }),
          retry: false,
        },
      )
      return store.resolve('v1')
    },
  }
}

describe('a mirror that redirects', () => {
  for (const path of ['/v2/other/private/manifests/v1', '/v2/t/a/tags/list', '/admin/delete?all'])
    it(`to ${path} of the registry takes no login there`, async () => {
      const { asked, pulled } = await pullThrough(
        'https://near.test',
        () => `https://up.test${path}`,
      )
      await expect(pulled()).resolves.toMatchObject({ size: expect.any(Number) })
      const there = `https://up.test${path.split('?')[0]} `
      expect(asked.filter((line) => line.startsWith(there))).not.toEqual([])
      expect(asked.filter((line) => line === `${there}${SECRET}`)).toEqual([])
    })

  it('elsewhere is followed there, without a login', async () => {
    const { asked, pulled } = await pullThrough(
      'https://near.test',
      ({ pathname }) => `https://store.test${pathname}`,
    )
    await expect(pulled()).resolves.toMatchObject({ size: expect.any(Number) })
    expect(asked.every((line) => line.endsWith(' no login'))).toBe(true)
    expect(asked.some((line) => line.startsWith('https://store.test/'))).toBe(true)
  })

  it('over plain http may redirect within it, and is no way for the registry to lose https', async () => {
    const { asked, pulled } = await pullThrough(
      'http://near.test',
      ({ pathname }) => `http://store.test${pathname}`,
    )
    await expect(pulled()).resolves.toMatchObject({ size: expect.any(Number) })
    expect(asked.some((line) => line.startsWith('http://store.test/'))).toBe(true)
    expect(asked.some((line) => line.startsWith('http://up.test'))).toBe(false)
  })

  for (const [what, to] of [
    ['in a circle', ({ href }: URL) => href],
    ['from https to http', ({ pathname }: URL) => `http://store.test${pathname}`],
    ['to no address', () => 'https://'],
    ['to a file', () => 'file:///etc/passwd'],
  ] as const)
    it(`${what} is passed over`, async () => {
      const { asked, pulled } = await pullThrough('https://near.test', to)
      await expect(pulled()).resolves.toMatchObject({ size: expect.any(Number) })
      expect(asked.filter((line) => line.startsWith('https://near.test/')).length).toBeLessThan(10)
      expect(asked.some((line) => line.startsWith('http://'))).toBe(false)
    })
})
