import { describe, expect, it } from 'vitest'
import { readBytes } from '../../src/bytes/read-bytes.ts'
import { decodeUtf8 } from '../../src/bytes/text.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { lockApp } from '../../src/spin/source/lock-app.ts'
import { packApp } from '../../src/spin/artifact/pack.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { FetchLike, TransferEvent } from '../../src/types.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pull } from '../../src/verbs/pull.ts'
import { push } from '../../src/verbs/push.ts'
import { resolve } from '../../src/verbs/resolve.ts'

const MANIFEST = `spin_manifest_version = 2
[application]
name = "hello"
version = "1.0.0"
[[trigger.http]]
route = "/..."
component = "web"
[component.web]
source = "web.wasm"
files = [{ source = "static", destination = "/" }]
`
const WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
const files = (more: Record<string, string> = {}) => ({
  'spin.toml': MANIFEST,
  'web.wasm': WASM,
  'static/index.html': '<h1>hello</h1>'.repeat(40),
  'static/robots.txt': 'User-agent: *',
  'static/ü/long.css': 'p{}'.repeat(100),
  ...more,
})

/** A registry in this process, and the requests that it was sent. */
function registryOf(): { fetch: FetchLike; requests: string[] } {
  const handler = createRegistryHandler()
  const requests: string[] = []
  return {
    requests,
    fetch: (request) => {
      requests.push(
        `${request.method} ${new URL(request.url).pathname.replace(/sha256:[0-9a-f]+/g, 'D').replace(/uploads\/.+/, 'uploads/U')}`,
      )
      return handler.fetch(request)
    },
  }
}

describe('an application', () => {
  it('goes to a registry and comes back, byte for byte', async () => {
    const { fetch } = registryOf()
    const app = await loadApp(files())
    const pushed = await push(app, 'registry.test/team/hello:1', { fetch })
    expect(pushed.reference).toBe(`registry.test/team/hello@${pushed.descriptor.digest}`)
    const pulled = await pull(pushed.reference, { fetch })
    expect(pulled.descriptor).toEqual(pushed.descriptor)
    expect(await pulled.component('web')).toEqual(WASM)
    const tree = await pulled.files('web')
    expect([...tree.keys()].sort()).toEqual(['index.html', 'robots.txt', 'ü/long.css'])
    expect(new TextDecoder().decode(tree.get('robots.txt') as Uint8Array)).toBe('User-agent: *')
    expect((await resolve('registry.test/team/hello:1', { fetch })).digest).toBe(
      pushed.descriptor.digest,
    )
  })

  it('has a name, a version and components alike, before it is pushed and when it is pulled', async () => {
    const { fetch } = registryOf()
    const app = await loadApp(files())
    await push(app, 'registry.test/team/hello:1', { fetch })
    const pulled = await pull('registry.test/team/hello:1', { fetch })
    for (const { name, version, components } of [app, pulled]) {
      expect([name, version, components.map(({ id }) => id)]).toEqual(['hello', '1.0.0', ['web']])
      expect(await components[0]!.wasm()).toEqual(WASM)
      const tree = await components[0]!.files()
      expect([...tree.keys()].sort()).toEqual(['index.html', 'robots.txt', 'ü/long.css'])
      expect(decodeUtf8(await readBytes(tree.get('robots.txt')!))).toBe('User-agent: *')
    }
  })

  it('is pushed again in a handful of requests, and uploads nothing', async () => {
    const { fetch, requests } = registryOf()
    await push(await loadApp(files()), 'registry.test/team/hello:1', { fetch })
    requests.length = 0
    const events: TransferEvent[] = []
    await push(await loadApp(files()), 'registry.test/team/hello:1', {
      fetch,
      onProgress: (event) => events.push(event),
    })
    expect(requests.filter((request) => request.includes('uploads'))).toEqual([])
    expect(requests.length).toBeLessThanOrEqual(3)
    expect(
      events.filter((event) => event.type === 'blob').every((event) => event.status === 'exists'),
    ).toBe(true)
  })

  it('sends only what changed since the tag was last pushed', async () => {
    const { fetch, requests } = registryOf()
    await push(await loadApp(files()), 'registry.test/team/hello:1', { fetch })
    requests.length = 0
    await push(
      await loadApp(files({ 'static/index.html': '<h1>changed</h1>'.repeat(40) })),
      'registry.test/team/hello:1',
      { fetch },
    )
    // The changed file, the lock and the config.
    expect(
      requests.filter((request) => request.startsWith('PUT') && request.includes('uploads')),
    ).toHaveLength(3)
  })

  it('is copied with what refers to it, and mounts within one registry', async () => {
    const { fetch, requests } = registryOf()
    const { descriptor } = await push(await loadApp(files()), 'registry.test/team/hello:1', {
      fetch,
    })
    requests.length = 0
    expect(
      await copy('registry.test/team/hello:1', 'registry.test/other/hello:2', { fetch }),
    ).toEqual(descriptor)
    expect(
      requests.filter((request) => request.startsWith('PUT') && request.includes('uploads')),
    ).toEqual([])
    const store = createMemoryStore()
    await copy('registry.test/other/hello:2', { store, ref: 'x' }, { fetch })
    expect((await pull({ store, ref: 'x' })).descriptor).toEqual(descriptor)
    const back = await copy({ store, ref: 'x' }, 'registry.test/third/hello', { fetch })
    expect((await resolve(`registry.test/third/hello@${back.digest}`, { fetch })).digest).toBe(
      descriptor.digest,
    )
  })

  it('is asked for once, and by HEAD where it may be cached: registries count what is fetched', async () => {
    const { fetch, requests } = registryOf()
    await push(await loadApp(files()), 'registry.test/team/hello:1', { fetch })
    const manifestsAskedBy = async (work: () => Promise<unknown>): Promise<string[]> => {
      requests.length = 0
      await work()
      return requests.filter((request) => request.includes('manifests'))
    }
    const from = 'registry.test/team/hello:1'
    const once = ['GET /v2/team/hello/manifests/1']
    expect(await manifestsAskedBy(async () => (await pull(from, { fetch })).contents())).toEqual(
      once,
    )
    const store = createMemoryStore()
    expect(await manifestsAskedBy(() => copy(from, { store, ref: 'x' }, { fetch }))).toEqual(once)
    const cache = createMemoryStore()
    const cached = () => manifestsAskedBy(() => pull(from, { fetch, cache }))
    const asked = 'HEAD /v2/team/hello/manifests/1'
    expect(await cached()).toEqual([asked, 'GET /v2/team/hello/manifests/D'])
    expect(await cached()).toEqual([asked])
  })

  it('keeps what it pulled in a cache, and heals the cache', async () => {
    const { fetch, requests } = registryOf()
    await push(await loadApp(files()), 'registry.test/team/hello:1', { fetch })
    const cache = createMemoryStore()
    await (await pull('registry.test/team/hello:1', { fetch, cache })).contents()
    requests.length = 0
    await (await pull('registry.test/team/hello:1', { fetch, cache })).contents()
    expect(requests.filter((request) => request.includes('blobs'))).toEqual([])
    const damaged = { ...cache, fetch: async () => new Blob(['damaged']).stream() }
    expect(
      await (await pull('registry.test/team/hello:1', { fetch, cache: damaged })).component('web'),
    ).toEqual(WASM)
  })

  it('is not read past a verifier that refuses it', async () => {
    const { fetch, requests } = registryOf()
    await push(await loadApp(files()), 'registry.test/team/hello:1', { fetch })
    requests.length = 0
    const refusal = new Error('nobody signed this')
    await expect(
      pull('registry.test/team/hello:1', {
        fetch,
        verify: async () => {
          throw refusal
        },
      }),
    ).rejects.toBe(refusal)
    expect(requests.some((request) => request.includes('blobs'))).toBe(false)
    await expect(
      copy('registry.test/team/hello:1', 'registry.test/b/c:1', {
        fetch,
        verify: async () => {
          throw refusal
        },
      }),
    ).rejects.toBe(refusal)
    await expect(resolve('registry.test/b/c:1', { fetch })).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
    })
  })

  it('is pulled by the digest that was verified, though the tag moves meanwhile', async () => {
    const { fetch } = registryOf()
    const first = await push(await loadApp(files()), 'registry.test/team/hello:1', { fetch })
    const pulled = await pull('registry.test/team/hello:1', {
      fetch,
      verify: async () => {
        await push(
          await loadApp(files({ 'static/robots.txt': 'other' })),
          'registry.test/team/hello:1',
          { fetch },
        )
        return []
      },
    })
    expect(pulled.descriptor.digest).toBe(first.descriptor.digest)
    expect(
      new TextDecoder().decode((await pulled.files('web')).get('robots.txt') as Uint8Array),
    ).toBe('User-agent: *')
  })

  it('with dependencies that can’t be composed is refused unless told otherwise', async () => {
    const app = await loadApp(
      files({
        'spin.toml': `${MANIFEST}[component.web.dependencies]\n"a:b/c" = { path = "dep.wasm" }\n`,
        'dep.wasm': '\0asm\x01\0\0\0',
      }),
    )
    const { fetch } = registryOf()
    await expect(push(app, 'registry.test/a:1', { fetch })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('"web"'),
    })
    await expect(push(app, 'registry.test/a:1', { fetch, uncomposed: true })).resolves.toBeDefined()
  })

  it('goes eight blobs at a time, in a page six: browsers send no more to one host', async () => {
    const { fetch } = registryOf()
    let now = 0
    let most = 0
    const counted: FetchLike = async (request) => {
      if (!request.url.includes('/blobs/')) return fetch(request)
      most = Math.max(most, ++now)
      await new Promise((resolve) => setTimeout(resolve, 1))
      return fetch(request).finally(() => now--)
    }
    const many = Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [`static/${n}`, `${n}:`.repeat(100)]),
    )
    await push(await loadApp(files(many)), 'registry.test/a:1', { fetch: counted })
    const limit = 'document' in globalThis ? 6 : 8
    expect(most).toBe(limit)
    most = 0
    await (await pull('registry.test/a:1', { fetch: counted })).files('web')
    expect(most).toBe(limit)
  })

  it('is packed as it stands when it is pushed: also a copy that was changed', async () => {
    const app = await loadApp(files())
    const [web] = app.components
    const { fetch } = registryOf()
    const bare = { ...app, components: [{ ...web!, fileTree: new Map() }] }
    const { locked } = await push(bare, 'registry.test/bare:1', { fetch })
    expect(locked.components[0]).not.toHaveProperty('files')
  })

  it('need not be an application: what packs itself can be pushed', async () => {
    const { locked, contents } = await lockApp(await loadApp(files()))
    const { fetch } = registryOf()
    const { descriptor } = await push(
      { pack: (options) => packApp({ locked, contents }, options) },
      'registry.test/a:1',
      { fetch },
    )
    expect(await resolve('registry.test/a:1', { fetch })).toMatchObject({
      digest: descriptor.digest,
    })
  })

  it('is not pushed to a digest that is not its own', async () => {
    const { fetch } = registryOf()
    await expect(
      push(await loadApp(files()), `registry.test/a@sha256:${'0'.repeat(64)}`, { fetch }),
    ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  })

  it("can not be sent with one registry's password to another by mistake", () => {
    const credentials = { username: 'u', password: 'p' }
    // @ts-expect-error a call between two takes a keychain
    void ((): Promise<unknown> => copy('a.test/b', 'c.test/d', { credentials }))
  })
})
