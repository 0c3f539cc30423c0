import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/bytes/digest.ts'
import { readBounded } from '../../../src/bytes/stream.ts'
import { encodeUtf8 } from '../../../src/bytes/text.ts'
import { collectGarbage } from '../../../src/serve/registry/gc/collect-garbage.ts'
import {
  blobGenerationKey,
  blobKey,
  manifestGenerationKey,
  manifestKey,
} from '../../../src/serve/registry/keys.ts'
import type { Garbage } from '../../../src/serve/registry/gc/collection.ts'
import { createDigestFilter } from '../../../src/serve/storage/digest-filter.ts'
import { createMemoryStorage } from '../../../src/serve/storage/memory.ts'
import { listAll } from '../../../src/serve/storage/port.ts'
import type { Storage } from '../../../src/serve/storage/port.ts'
import type { Digest } from '../../../src/types.ts'
import { createClient, OCI_INDEX, OCI_MANIFEST } from './client.ts'

const now = { grace: 0, uploadTtl: 0 }

async function keysOf(storage: Storage, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of listAll(storage, prefix)) keys.push(key)
  return keys
}

/** A memory storage whose values can be aged. */
function createAging(): { storage: Storage; age: (milliseconds: number) => void } {
  const inner = createMemoryStorage()
  let aged = 0
  const puts = new Map<string, number>()
  const older = <T extends { key: string; modified: number } | undefined>(value: T): T =>
    value === undefined
      ? value
      : { ...value, modified: value.modified - aged + (puts.get(value.key) ?? 0) }
  return {
    age: (milliseconds) => void (aged += milliseconds),
    storage: {
      get: async (key, options) => older(await inner.get(key, options)),
      head: async (key) => older(await inner.head(key)),
      delete: (key) => inner.delete(key),
      async put(key, body, options) {
        const result = await inner.put(key, body, options)
        if (result.stored) puts.set(key, aged)
        return result
      },
      async list(prefix, options) {
        const { entries, more } = await inner.list(prefix, options)
        return { entries: entries.map(older), more }
      },
    },
  }
}

const setUp = () => {
  const { storage, age } = createAging()
  return { storage, age, client: createClient({ storage }) }
}
type Client = ReturnType<typeof createClient>
const statusOf = async (client: Client, path: string): Promise<number> =>
  (await client.send('HEAD', path)).status

describe('garbage collection', () => {
  it('keeps the tenth generation and removes a leftover second one', async () => {
    const { storage, client } = setUp()
    const { digest, layer } = await client.image('a', 'v1')
    const [tenth, key] = [{ number: 10, nonce: '' }, manifestKey('a', digest)]
    for (const place of [blobGenerationKey(layer), manifestGenerationKey('a', digest)])
      await storage.put(place, encodeUtf8(JSON.stringify(tenth)))
    const left = (await readBounded((await storage.get(key))!.body, 9999, key)) as Uint8Array
    await storage.delete(key)
    await storage.delete(blobKey(layer))
    await client.image('a', 'v1')
    // Left by an instance that crashed after sweeping and before deleting.
    await storage.put(blobKey(layer, 2), encodeUtf8('left'))
    await storage.put(manifestKey('a', digest, 2), left)
    const gone = { blobs: 1, manifests: 1 }
    const would = await collectGarbage(storage, { ...now, untagged: true, dryRun: true })
    expect(would).toMatchObject(gone)
    const did = await collectGarbage(storage, { ...now, untagged: true })
    expect(await statusOf(client, '/v2/a/manifests/v1')).toBe(200)
    expect(await statusOf(client, `/v2/a/blobs/${layer}`)).toBe(200)
    expect(did).toEqual(would)
    expect((await keysOf(storage)).filter((key) => key.endsWith('.2'))).toEqual([])
  })

  it('removes unreferenced blobs and their links, and no others', async () => {
    const { storage, age, client } = setUp()
    const kept = await client.image('a', 'v1')
    const lost = await client.blob('a', 'lost')
    const shared = await client.blob('b', 'layer of v1')
    age(1000)
    const found: Garbage[] = []
    expect(await collectGarbage(storage, { ...now, onGarbage: (g) => found.push(g) })).toEqual({
      blobs: 1,
      manifests: 0,
      uploads: 0,
      bytes: 4,
    })
    expect(found).toEqual([{ kind: 'blob', digest: lost.digest, bytes: 4 }])
    expect(await statusOf(client, `/v2/a/blobs/${lost.digest}`)).toBe(404)
    expect(await statusOf(client, `/v2/a/blobs/${kept.layer}`)).toBe(200)
    expect(await statusOf(client, `/v2/b/blobs/${shared.digest}`)).toBe(200)
    expect((await keysOf(storage)).filter((key) => key.includes(lost.digest.slice(7)))).toEqual([
      `generations/blobs/${lost.digest.replace(':', '/')}`,
    ])
  })

  it('keeps content within the grace period of one day', async () => {
    const { storage, age, client } = setUp()
    const { digest } = await client.blob('a', 'soon wanted')
    age(23 * 3_600_000)
    expect((await collectGarbage(storage, { untagged: true })).blobs).toBe(0)
    age(2 * 3_600_000)
    // Pushed again, which restarts the grace period.
    await client.blob('a', 'soon wanted')
    expect((await collectGarbage(storage)).blobs).toBe(0)
    expect(await statusOf(client, `/v2/a/blobs/${digest}`)).toBe(200)
    age(25 * 3_600_000)
    expect((await collectGarbage(storage)).blobs).toBe(1)
  })

  it('accepts collected content when it is pushed again, and collects it again', async () => {
    const { storage, age, client } = setUp()
    for (let round = 0; round < 3; round++) {
      const { digest, layer } = await client.image('a', 'v1')
      const referrer = await client.manifest('a', undefined, {
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [],
        subject: { mediaType: OCI_MANIFEST, digest, size: 1 },
      })
      expect(await statusOf(client, `/v2/a/blobs/${layer}`)).toBe(200)
      const list = await client.send('GET', `/v2/a/referrers/${digest}`)
      expect(((await list.json()) as { manifests: { digest: Digest }[] }).manifests).toMatchObject([
        { digest: referrer.digest },
      ])
      expect((await client.send('DELETE', '/v2/a/manifests/v1')).status).toBe(202)
      age(1000)
      expect(await collectGarbage(storage, { ...now, untagged: true })).toMatchObject({
        blobs: 2,
        manifests: 2,
      })
      expect(await statusOf(client, `/v2/a/manifests/${digest}`)).toBe(404)
      expect(await keysOf(storage, 'repositories/')).toEqual([])
      expect(await keysOf(storage, 'blobs/')).toEqual([])
    }
  })

  it('deletes content that was collected and pushed again', async () => {
    const { storage, age, client } = setUp()
    const { digest } = await client.image('a')
    age(1000)
    await collectGarbage(storage, { ...now, untagged: true })
    const { layer } = await client.image('a')
    expect((await client.send('DELETE', `/v2/a/manifests/${digest}`)).status).toBe(202)
    expect((await client.send('DELETE', `/v2/a/blobs/${layer}`)).status).toBe(202)
    expect(await statusOf(client, `/v2/a/manifests/${digest}`)).toBe(404)
    expect(await statusOf(client, `/v2/a/blobs/${layer}`)).toBe(404)
  })

  it('mounts content that was collected and pushed again, but not collected content', async () => {
    const { storage, age, client } = setUp()
    const { digest } = await client.blob('a', 'mounted')
    age(1000)
    await collectGarbage(storage, now)
    const mount = `/v2/b/blobs/uploads/?mount=${digest}&from=a`
    expect((await client.send('POST', mount)).status).toBe(202)
    await client.blob('a', 'mounted')
    expect((await client.send('POST', mount)).status).toBe(201)
    expect(await statusOf(client, `/v2/b/blobs/${digest}`)).toBe(200)
  })

  it('does not sweep content that a push holds after it was marked', async () => {
    const { storage, age, client } = setUp()
    const { digest } = await client.blob('a', 'wanted again')
    age(2 * 3_600_000)
    let looks = 0
    const watched: Storage = {
      ...storage,
      async get(key, options) {
        // The first read is for the mark, the second for the sweep.
        if (key.startsWith('generations/') && ++looks === 2) await client.blob('a', 'wanted again')
        return storage.get(key, options)
      },
    }
    expect((await collectGarbage(watched, { grace: 3_600_000 })).blobs).toBe(0)
    expect(await statusOf(client, `/v2/a/blobs/${digest}`)).toBe(200)
  })

  it.each([
    ['stores its buffered body as another generation', { 'Content-Length': '12' }, [201]],
    ['asks the client to send a streamed body again', {}, [503, 201]],
  ])('sweeps during a push, which %s', async (_, headers, statuses) => {
    const { storage, age, client } = setUp()
    const { digest } = await client.blob('a', 'wanted again')
    age(2 * 3_600_000)
    let collected: number | undefined
    const slow = createClient({
      storage: {
        ...storage,
        async head(key) {
          if (key.includes('/_blobs/') && collected === undefined) {
            collected = 0
            collected = (await collectGarbage(storage, { grace: 3_600_000 })).blobs
          }
          return storage.head(key)
        },
      },
    })
    const open = await slow.send('POST', '/v2/a/blobs/uploads/')
    for (const status of statuses) {
      const response = await slow.send('PUT', `${open.headers.get('Location')}?digest=${digest}`, {
        body: 'wanted again',
        headers,
      })
      expect(response.status).toBe(status)
    }
    expect(collected).toBe(1)
    expect(await statusOf(client, `/v2/a/blobs/${digest}`)).toBe(200)
  })

  it('removes untagged manifests, and content that only they refer to, only with the option', async () => {
    const { storage, age, client } = setUp()
    const { digest, layer } = await client.image('a')
    age(1000)
    expect(await collectGarbage(storage, now)).toMatchObject({ blobs: 0, manifests: 0 })
    expect(await collectGarbage(storage, { ...now, untagged: true })).toMatchObject({
      blobs: 2,
      manifests: 1,
    })
    expect(await statusOf(client, `/v2/a/manifests/${digest}`)).toBe(404)
    expect(await statusOf(client, `/v2/a/blobs/${layer}`)).toBe(404)
  })

  it('keeps what a tag leads to through nested indexes and referrers of referrers', async () => {
    const { storage, age, client } = setUp()
    const image = await client.image('a')
    const descriptor = (digest: Digest) => ({ mediaType: OCI_INDEX, digest, size: 1 })
    const index = (manifests: object[], more = {}) => ({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests,
      ...more,
    })
    const inner = await client.manifest('a', undefined, index([descriptor(image.digest)]))
    await client.manifest('a', 'v1', index([descriptor(inner.digest)]))
    const about = (digest: Digest) => index([], { subject: descriptor(digest) })
    const signature = await client.manifest('a', undefined, about(image.digest))
    const signed = await client.manifest('a', undefined, about(signature.digest))
    const orphan = await client.manifest('a', undefined, about(`sha256:${'0'.repeat(64)}`))
    age(1000)
    expect((await collectGarbage(storage, { ...now, untagged: true })).manifests).toBe(1)
    for (const { digest } of [image, inner, signature, signed])
      expect(await statusOf(client, `/v2/a/manifests/${digest}`)).toBe(200)
    expect(await statusOf(client, `/v2/a/manifests/${orphan.digest}`)).toBe(404)
    await client.send('DELETE', '/v2/a/manifests/v1')
    expect((await collectGarbage(storage, { ...now, untagged: true })).manifests).toBe(5)
    expect(await keysOf(storage, 'repositories/')).toEqual([])
  })

  it('keeps every blob that a manifest mentions in any field', async () => {
    const { storage, age, client } = setUp()
    const { digest } = await client.blob('a', 'of another type')
    const { response } = await client.manifest('a', 'v1', {
      schemaVersion: 2,
      mediaType: 'application/vnd.example+json',
      layersOfOurs: [{ deep: { blobSum: digest } }],
    })
    expect(response.status).toBe(201)
    age(1000)
    expect((await collectGarbage(storage, now)).blobs).toBe(0)
  })

  it('reports garbage and removes nothing in a dry run', async () => {
    const { storage, age, client } = setUp()
    await client.image('a')
    await client.blob('a', 'lost')
    await client.image('a', 'v1')
    await client.send('POST', '/v2/a/blobs/uploads/')
    age(1000)
    const before = await keysOf(storage)
    const would = await collectGarbage(storage, { ...now, untagged: true, dryRun: true })
    expect(await keysOf(storage)).toEqual(before)
    expect(would).toMatchObject({ blobs: 2, manifests: 1, uploads: 1 })
    expect(await collectGarbage(storage, { ...now, untagged: true })).toEqual(would)
  })

  it('removes inactive uploads across many pages', async () => {
    const { storage, age, client } = setUp()
    for (let i = 0; i < 40; i++) {
      const open = await client.send('POST', '/v2/a/blobs/uploads/')
      await client.send('PATCH', open.headers.get('Location')!, { body: `part ${i}` })
    }
    age(1000)
    const young = await client.send('POST', '/v2/a/blobs/uploads/')
    const paged: Storage = {
      ...storage,
      list: (prefix, options) => storage.list(prefix, { ...options, limit: 7 }),
    }
    expect(await collectGarbage(paged, { uploadTtl: 500 })).toMatchObject({ uploads: 40 })
    expect((await keysOf(storage, 'uploads/')).length).toBe(1)
    expect((await client.send('GET', young.headers.get('Location')!)).status).toBe(204)
  })

  it('stops between two steps when aborted, with the reason itself', async () => {
    const { storage, age, client } = setUp()
    for (let i = 0; i < 50; i++) await client.blob('a', `lost ${i}`)
    age(1000)
    const stop = new AbortController()
    const reason = new Error('enough')
    let seen = 0
    const onGarbage = (): void => {
      if (++seen === 10) stop.abort(reason)
    }
    await expect(collectGarbage(storage, { ...now, onGarbage, signal: stop.signal })).rejects.toBe(
      reason,
    )
    expect(seen).toBeLessThan(30)
    // The next collection completes the work.
    expect((await collectGarbage(storage, now)).blobs).toBe(50 - seen)
  })

  it('stops at an unreadable manifest', async () => {
    const { storage, age, client } = setUp()
    await client.image('a', 'v1')
    const { digest } = await client.blob('a', 'lost')
    const [key] = await keysOf(storage, 'repositories/a/_manifests/')
    await storage.put(key!, encodeUtf8('torn'))
    age(1000)
    for (const untagged of [false, true])
      await expect(collectGarbage(storage, { ...now, untagged })).rejects.toMatchObject({
        code: 'ERR_CONTENT_INVALID',
      })
    expect(await statusOf(client, `/v2/a/blobs/${digest}`)).toBe(200)
  })

  it('rejects invalid options', async () => {
    const { storage } = setUp()
    for (const options of [
      { grace: -1 },
      { grace: Number.NaN },
      { memory: 0 },
      { memory: 2 ** 30 },
    ])
      await expect(collectGarbage(storage, options)).rejects.toThrow(TypeError)
  })
})

it('a digest filter has no false negatives and few false positives', async () => {
  const filter = createDigestFilter(2000)
  const digestAt = (i: number): Promise<Digest> => digestOf(encodeUtf8(String(i)))
  const digests = await Promise.all(Array.from({ length: 3000 }, (_, i) => digestAt(i)))
  for (const digest of digests.slice(0, 1000)) filter.add(digest)
  expect(digests.slice(0, 1000).every((digest) => filter.has(digest))).toBe(true)
  expect(digests.slice(1000).filter((digest) => filter.has(digest)).length).toBeLessThan(60)
})
