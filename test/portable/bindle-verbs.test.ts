import { describe, expect, it } from 'vitest'
import { type BindleClient, createBindleClient } from '../../src/bindle/client.ts'
import { createBindleId } from '../../src/bindle/id.ts'
import { packStandalone, parseStandalone, unpackStandalone } from '../../src/bindle/standalone.ts'
import { exportPublicKey, openSecretKey, generateSecretKey } from '../../src/bindle/keyring.ts'
import { streamFrom } from '../../src/bytes/stream.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import type { App } from '../../src/spin/source/app.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { appToBindle } from '../../src/spin/bindle/to-bindle.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { FetchHandler, FetchLike, TransferEvent } from '../../src/types.ts'
import { copy } from '../../src/verbs/copy.ts'
import { migrateBindle, migrateBindles } from '../../src/verbs/migrate-bindle.ts'
import { prepareBindle } from '../../src/verbs/prepare-bindle.ts'
import { pull } from '../../src/verbs/pull.ts'
import { pullBindle } from '../../src/verbs/pull-bindle.ts'
import { pushBindle } from '../../src/verbs/push-bindle.ts'

const WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
const PAGE = '<h1>hello</h1>'.repeat(40)

const appOf = (version = '1.0.0', more: Record<string, string> = {}): Promise<App> =>
  loadApp({
    'spin.toml': `spin_manifest_version = 2
[application]
name = "hello"
version = "${version}"
description = "says hello"
authors = ["Ann <ann@example.com>"]
[[trigger.http]]
route = "/..."
component = "web"
[component.web]
source = "web.wasm"
files = [{ source = "static", destination = "/" }]
`,
    'web.wasm': WASM,
    'static/index.html': PAGE,
    'static/robots.txt': 'User-agent: *',
    'static/deep/er/p.css': 'p{}'.repeat(100),
    ...more,
  })

/** Servers in this process, and the requests that they were sent. */
function worldOf(bindle: FetchHandler = createBindleHandler()): {
  client: BindleClient
  fetch: FetchLike
  requests: string[]
} {
  const registry = createRegistryHandler()
  const requests: string[] = []
  const through =
    (handler: FetchHandler): FetchLike =>
    (request) => {
      requests.push(`${request.method} ${new URL(request.url).pathname}`)
      return handler.fetch(request)
    }
  const client = createBindleClient('https://bindle.test/v1', {
    fetch: through(bindle),
    retry: false,
  })
  return { client, fetch: through(registry), requests }
}
const writes = (requests: readonly string[]): string[] =>
  requests.filter((request) => !/^(?:GET|HEAD) /.test(request))

describe('an application and a Bindle server', () => {
  it('goes there and comes back, byte for byte', async () => {
    const { client } = worldOf()
    const invoice = await pushBindle(await appOf(), client, { buildInfo: 'q1' })
    expect(invoice.bindle).toMatchObject({ name: 'hello', version: '1.0.0+q1' })
    const app = await pullBindle({ client, id: 'hello/1.0.0+q1' })
    expect(await app.component('web')).toEqual(WASM)
    const files = await app.files('web')
    expect([...files.keys()].sort()).toEqual(['deep/er/p.css', 'index.html', 'robots.txt'])
    expect(new TextDecoder().decode(files.get('index.html') as Uint8Array)).toBe(PAGE)
    expect(app.annotations).toMatchObject({
      'spindle.bindle.id': 'hello/1.0.0+q1',
      'org.opencontainers.image.title': 'hello',
      'org.opencontainers.image.version': '1.0.0+q1',
      'org.opencontainers.image.description': 'says hello',
      'org.opencontainers.image.authors': 'Ann <ann@example.com>',
    })
  })

  it('sends nothing of what is there already', async () => {
    const { client, requests } = worldOf()
    await pushBindle(await appOf(), client)
    requests.length = 0
    await pushBindle(await appOf(), client)
    expect(writes(requests)).toEqual(['POST /v1/_i'])
    // Another version shares all but its manifest and what changed.
    requests.length = 0
    await pushBindle(await appOf('1.1.0', { 'static/robots.txt': 'changed' }), client)
    expect(writes(requests)).toHaveLength(2)
  })

  it('takes up a push that broke off', async () => {
    const server = createBindleHandler()
    let left = 2
    const { client } = worldOf({
      fetch: (request) =>
        request.url.includes('@') && request.method === 'POST' && left-- <= 0
          ? Promise.reject(new TypeError('fetch failed'))
          : server.fetch(request),
    })
    await expect(pushBindle(await appOf(), client, { concurrency: 1 })).rejects.toMatchObject({
      code: 'ERR_NETWORK',
    })
    const { client: again, requests } = worldOf(server)
    await pushBindle(await appOf(), again)
    expect(writes(requests)).toHaveLength(4)
    expect(await (await pullBindle({ client: again, id: 'hello/1.0.0' })).component('web')).toEqual(
      WASM,
    )
  })

  it('reports each parcel, pushed and pulled', async () => {
    const { client } = worldOf()
    const done = (events: readonly TransferEvent[]): number =>
      new Set(
        events.flatMap((event) =>
          event.type === 'blob' && event.status === 'done' ? [event.descriptor.digest] : [],
        ),
      ).size
    const pushed: TransferEvent[] = []
    await pushBindle(await appOf(), client, { onProgress: (event) => void pushed.push(event) })
    expect(done(pushed)).toBe(5)
    const pulled: TransferEvent[] = []
    const onProgress = (event: TransferEvent): void => void pulled.push(event)
    const app = await pullBindle({ client, id: 'hello/1.0.0' }, { onProgress })
    await app.contents()
    expect(pulled[0]).toMatchObject({ type: 'plan', blobs: 5 })
    expect(done(pulled)).toBeGreaterThanOrEqual(5)
  })

  it('rejects with the reason itself when aborted', async () => {
    const { client } = worldOf()
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(pushBindle(await appOf(), client, { signal })).rejects.toBe(reason)
    await pushBindle(await appOf(), client)
    await expect(pullBindle({ client, id: 'hello/1.0.0' }, { signal })).rejects.toBe(reason)
  })

  it('is opened only when its signers are known, where that is asked for', async () => {
    const { client } = worldOf()
    const ann = await generateSecretKey('Ann <ann@example.com>', ['creator'])
    const eve = await generateSecretKey('Eve <eve@example.com>', ['creator'])
    await pushBindle(await appOf(), client, {
      signer: { key: await openSecretKey(ann), by: ann.label },
    })
    await pushBindle(await appOf('2.0.0'), client)
    const ring = async (entry: typeof ann) => ({
      keyring: { version: '1.0' as const, key: [await exportPublicKey(entry)] },
    })
    const id = 'hello/1.0.0'
    const app = await pullBindle({ client, id }, { verify: await ring(ann) })
    expect(JSON.parse(app.annotations['spindle.bindle.signatures']!)).toMatchObject([
      { by: ann.label, role: 'creator' },
    ])
    for (const [from, verify] of [
      [id, await ring(eve)],
      ['hello/2.0.0', await ring(ann)],
    ] as const) {
      await expect(pullBindle({ client, id: from }, { verify })).rejects.toMatchObject({
        code: 'ERR_POLICY_REJECTED',
      })
    }
  })
})

describe('a standalone bindle', () => {
  it('is opened, pushed and moved from its files or its tarball', async () => {
    const { fetch } = worldOf()
    const tree = await prepareBindle(await appOf())
    const folder = await parseStandalone(tree)
    const tarball = await unpackStandalone(streamFrom(packStandalone(folder)))
    const digests = new Set<string>()
    for (const source of [folder, tarball, await appToBindle(await appOf())]) {
      const app = await pullBindle(source)
      expect(await app.component('web')).toEqual(WASM)
      digests.add(app.descriptor.digest)
      digests.add((await migrateBindle(source, 'registry.test/a/b', { fetch })).descriptor.digest)
    }
    expect(digests.size).toBe(1)
  })

  it('that lacks a parcel says which', async () => {
    const { invoice, id, parcels } = await appToBindle(await appOf())
    const page = invoice.parcel!.find(({ label }) => label.name === 'index.html')!.label
    const rest = new Map([...parcels].filter(([sha256]) => sha256 !== page.sha256))
    await expect(pullBindle({ invoice, id, parcels: rest })).rejects.toMatchObject({
      code: 'ERR_FILE_MISSING',
      message: expect.stringContaining('index.html'),
    })
  })
})

describe('moving to a registry', () => {
  it('gives the digest that a pulled bindle has, and what pull reads', async () => {
    const { client, fetch, requests } = worldOf()
    await pushBindle(await appOf(), client, { buildInfo: 'q1' })
    const from = { client, id: 'hello/1.0.0+q1' }
    const moved = await migrateBindle(from, 'registry.test/team/hello', { fetch })
    expect(String(moved.id)).toBe('hello/1.0.0+q1')
    const pulled = await pullBindle(from)
    expect(pulled.descriptor).toEqual(moved.descriptor)
    const store = createMemoryStore()
    expect(
      await copy(
        { store: pulled.store, ref: pulled.descriptor.digest },
        { store, ref: pulled.descriptor.digest },
      ),
    ).toEqual(moved.descriptor)
    // Tags have no "+".
    const app = await pull('registry.test/team/hello:1.0.0_q1', { fetch })
    expect(app.descriptor.digest).toBe(moved.descriptor.digest)
    expect(await app.component('web')).toEqual(WASM)
    expect([...(await app.files('web')).keys()]).toHaveLength(3)
    requests.length = 0
    const again = await migrateBindle(from, 'registry.test/team/hello', { fetch })
    expect({ ...again, id: String(again.id) }).toEqual({
      ...moved,
      status: 'exists',
      id: String(moved.id),
    })
    expect(writes(requests)).toEqual([])
  })

  it('takes an application of many files, whose archive is the same from wherever it comes', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 600 }, (_, at) => [
        `static/many/${at}.txt`,
        `${at} `.repeat(40 + (at % 90)),
      ]),
    )
    const { client, fetch } = worldOf()
    const app = await appOf('1.0.0', many)
    await pushBindle(app, client)
    const moved = await migrateBindle({ client, id: 'hello/1.0.0' }, 'registry.test/a/b', { fetch })
    const local = await pullBindle(await appToBindle(app))
    expect(local.descriptor).toEqual(moved.descriptor)
    const files = await (await pull(moved.reference, { fetch })).files('web')
    expect(files.size).toBe(603)
    expect(new TextDecoder().decode(files.get('many/599.txt') as Uint8Array)).toBe(
      many['static/many/599.txt'],
    )
  })

  it('keeps to a tag that is given, and to annotations', async () => {
    const { client, fetch } = worldOf()
    await pushBindle(await appOf(), client)
    await migrateBindle({ client, id: createBindleId('hello', '1.0.0') }, 'registry.test/a/b:old', {
      fetch,
      annotations: { 'spindle.bindle.id': 'mine' },
    })
    const { annotations } = await pull('registry.test/a/b:old', { fetch })
    expect(annotations['spindle.bindle.id']).toBe('mine')
  })

  it('moves every version of one name, oldest first, and says first what it would do', async () => {
    const { client, fetch, requests } = worldOf()
    for (const version of ['1.10.0', '1.2.0', '1.2.0+b1', '1.3.0-rc.1'])
      await pushBindle(await appOf(version), client)
    await pushBindle(await appOf('9.0.0'), client, { id: createBindleId('hello/more', '9.0.0') })
    await pushBindle(await appOf('0.1.0'), client)
    await client.yank('hello/0.1.0')
    requests.length = 0
    const move = async (dryRun: boolean): Promise<string[]> => {
      const moved: string[] = []
      const from = { client, name: 'hello' }
      for await (const { id, reference, status } of migrateBindles(from, 'registry.test/a/b', {
        fetch,
        dryRun,
      }))
        moved.push(`${id} ${reference} ${status}`)
      return moved
    }
    const planned = await move(true)
    expect(writes(requests)).toEqual([])
    expect(planned.map((line) => line.split(' ')[0])).toEqual([
      'hello/1.2.0',
      'hello/1.2.0+b1',
      'hello/1.3.0-rc.1',
      'hello/1.10.0',
    ])
    const as = (status: string): string[] => planned.map((line) => line.replace('planned', status))
    expect(await move(false)).toEqual(as('migrated'))
    expect(await move(false)).toEqual(as('exists'))
    expect(await move(true)).toEqual(as('exists'))
    const tags = (await (
      await fetch(new Request('https://registry.test/v2/a/b/tags/list'))
    ).json()) as { tags: string[] }
    expect(tags.tags.sort()).toEqual(['1.10.0', '1.2.0', '1.2.0_b1', '1.3.0-rc.1'])
  })
})
