import { describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createMirrorFetch, type MirrorFetchOptions } from '../../src/registry/mirror-fetch.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pushArtifact } from './artifacts.ts'

const bytes = new Uint8Array(5000).fill(7)
type Answer = (request: Request) => Promise<Response> | Response

/** Registries by host, with what they were asked. */
function network(hosts: Record<string, Answer>): {
  fetch: (request: Request) => Promise<Response>
  asked: string[]
  secrets: string[]
} {
  const asked: string[] = []
  const secrets: string[] = []
  return {
    asked,
    secrets,
    async fetch(request) {
      const { host, pathname, search } = new URL(request.url)
      asked.push(`${request.method} ${host} ${pathname.split('/').at(-2)}${search}`)
      const secret = request.headers.get('authorization')
      if (secret !== null) secrets.push(`${host} ${secret}`)
      return hosts[host]!(request)
    },
  }
}

async function upstream(): Promise<Answer> {
  const registry = createRegistryHandler()
  await pushArtifact(createRepository('up.test/t/a', { fetch: registry.fetch }), bytes, 'v1')
  return registry.fetch
}

async function pullThrough(
  hosts: Record<string, Answer>,
  mirrors: Parameters<typeof createMirrorFetch>[0],
  options: MirrorFetchOptions = {},
): Promise<ReturnType<typeof network>> {
  const net = network(hosts)
  const fetch = createMirrorFetch(mirrors, { fetch: net.fetch, ...options })
  const credentials = () => ({ username: 'ann', password: 'secret' })
  const store = createMemoryStore()
  await copy('up.test/t/a:v1', { store, ref: 'v1' }, { fetch, retry: false, credentials })
  return net
}

describe('a mirror', () => {
  it('is requested instead of the registry', async () => {
    const all = await upstream()
    const { asked } = await pullThrough({ 'near.test': all }, { 'up.test': ['https://near.test'] })
    expect(asked.every((line) => line.includes(' near.test '))).toBe(true)
  })

  it('of several registries, below a path, receives the name of the registry', async () => {
    const all = await upstream()
    const near: Answer = (request) => {
      const url = new URL(request.url)
      expect([url.pathname.slice(0, 6), url.searchParams.get('ns')]).toEqual(['/hub/v', 'up.test'])
      return all(new Request(new URL(url.pathname.slice(4), url), request))
    }
    await pullThrough(
      { 'near.test': near },
      { 'up.test': [{ url: 'https://near.test/hub/', ns: true }] },
    )
  })

  for (const [what, near] of [
    ['has not got it', () => new Response(null, { status: 404 })],
    ['wants a login', () => new Response(null, { status: 401 })],
    ['is broken', () => new Response('oops', { status: 500 })],
    ['can’t be reached', () => Promise.reject(new TypeError('fetch failed'))],
    [
      'does not answer',
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    ],
  ] as const satisfies readonly (readonly [string, Answer])[])
    it(`that ${what} is skipped`, async () => {
      const all = await upstream()
      const { asked } = await pullThrough(
        { 'near.test': near, 'up.test': all },
        { 'up.test': ['https://near.test'] },
        { timeout: 20 },
      )
      expect(asked.filter((line) => line.includes(' up.test ')).length).toBeGreaterThan(2)
      if (what === 'can’t be reached' || what === 'does not answer')
        expect(asked.filter((line) => line.includes(' near.test ')).length).toBe(1)
    })

  it('never receives the registry’s credentials', async () => {
    const all = await upstream()
    const { secrets } = await pullThrough(
      {
        'near.test': () => new Response(null, { status: 404 }),
        'up.test': (request) =>
          request.headers.has('authorization')
            ? all(request)
            : new Response(null, {
                status: 401,
                headers: { 'www-authenticate': 'Basic realm="a"' },
              }),
      },
      { 'up.test': ['https://near.test'] },
    )
    expect(secrets.length).toBeGreaterThan(0)
    expect(secrets.every((secret) => secret.startsWith('up.test '))).toBe(true)
  })

  it('can redirect to its storage, also by a relative URL', async () => {
    const all = await upstream()
    const near: Answer = async (request) => {
      const { pathname } = new URL(request.url)
      if (pathname.startsWith('/store/')) return all(new Request(`https://x${pathname.slice(6)}`))
      if (!pathname.includes('/blobs/')) return all(request)
      return new Response(null, { status: 307, headers: { location: `/store${pathname}` } })
    }
    const { asked } = await pullThrough({ 'near.test': near }, { 'up.test': ['https://near.test'] })
    expect(asked.some((line) => line.includes(' near.test blobs'))).toBe(true)
  })

  it('does not need to be trusted: its content is verified', async () => {
    const all = await upstream()
    const near: Answer = async (request) =>
      new URL(request.url).pathname.includes('/blobs/')
        ? new Response(bytes.slice(1))
        : all(request)
    await expect(
      pullThrough({ 'near.test': near, 'up.test': all }, { 'up.test': ['https://near.test'] }),
    ).rejects.toThrow()
  })

  it('serves content only: the registry lists tags and signatures', async () => {
    const all = await upstream()
    const { fetch, asked } = network({ 'up.test': all })
    const mirrored = createMirrorFetch({ 'up.test': ['https://near.test'] }, { fetch })
    const repository = createRepository('up.test/t/a', { fetch: mirrored })
    for await (const tag of repository.tags()) expect(tag).toBe('v1')
    expect(asked).toEqual(['GET up.test tags'])
  })

  it('serves pulls only: a push rejects', async () => {
    const all = await upstream()
    const { fetch } = network({ 'near.test': all, 'up.test': createRegistryHandler().fetch })
    const mirrored = createMirrorFetch({ 'up.test': ['https://near.test'] }, { fetch })
    const repository = createRepository('up.test/t/a', { fetch: mirrored, retry: false })
    await expect(pushArtifact(repository, bytes, 'v1')).rejects.toMatchObject({
      cause: { message: expect.stringContaining('mirrors, which serve pulls only') },
    })
  })

  it('must be a URL', () => {
    for (const url of ['near.test', 'ftp://near.test', 'https://ann:secret@near.test'])
      expect(() => createMirrorFetch({ 'up.test': [url] })).toThrow(TypeError)
  })
})
