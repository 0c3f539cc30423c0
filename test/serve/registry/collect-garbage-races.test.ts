import process from 'node:process'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { collectGarbage } from '../../../src/serve/registry/gc/collect-garbage.ts'
import { createMemoryStorage } from '../../../src/serve/storage/memory.ts'
import { listAll } from '../../../src/serve/storage/port.ts'
import type { MovingStorage, Storage } from '../../../src/serve/storage/port.ts'
import type { Digest } from '../../../src/types.ts'
import { digestOf } from '../../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../../src/bytes/text.ts'
import { createTurns } from '../storage/turns.ts'
import { createClient, OCI_INDEX, OCI_MANIFEST } from './client.ts'
import type { Client } from './client.ts'

/** One hour: without a grace period, age protects nothing. */
const AGE = 3_600_000
const older = <T extends { modified: number } | undefined>(value: T): T =>
  value === undefined ? value : { ...value, modified: value.modified - AGE }

/** A storage whose values are one hour older. */
function aged(inner: MovingStorage): Storage {
  return {
    ...inner,
    get: async (key, options) => older(await inner.get(key, options)),
    head: async (key) => older(await inner.head(key)),
    async list(prefix, options) {
      const { entries, more } = await inner.list(prefix, { ...options, limit: 3 })
      return { entries: entries.map(older), more }
    },
  }
}

const LAYERS = ['one', 'two', 'three'].map(encodeUtf8)
const CONFIG = encodeUtf8('{}')

interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
}

async function describeBytes(bytes: Uint8Array, mediaType = 'text/plain'): Promise<Descriptor> {
  return { mediaType, digest: await digestOf(bytes), size: bytes.length }
}

async function imageOf(layers: readonly number[]): Promise<Uint8Array> {
  return encodeUtf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: await describeBytes(CONFIG),
      layers: await Promise.all(layers.map((at) => describeBytes(LAYERS[at]!))),
    }),
  )
}

async function putBlob(client: Client, repository: string, bytes: Uint8Array, how: string) {
  const digest = await digestOf(bytes)
  if (how === 'if missing') {
    const there = await client.send('HEAD', `/v2/${repository}/blobs/${digest}`)
    if (there.status === 200) return
  }
  const query = how === 'mount' ? `?mount=${digest}&from=other` : ''
  const open = await client.send('POST', `/v2/${repository}/blobs/uploads/${query}`)
  if (open.status === 201) return
  let location = open.headers.get('Location')
  if (how === 'in chunks') {
    const sent = await client.send('PATCH', location!, { body: bytes })
    location = sent.headers.get('Location')
    await client.send('PUT', `${location}?digest=${digest}`)
    return
  }
  await client.send('PUT', `${location}?digest=${digest}`, { body: bytes })
}

async function putManifest(client: Client, bytes: Uint8Array, type: string, at: string) {
  const body = { body: bytes, headers: { 'Content-Type': type } }
  return (await client.send('PUT', `/v2/app/manifests/${at}`, body)).status
}

const layers = fc.constantFrom([0], [0, 1], [2])
const image = fc.record({
  do: fc.constant('image' as const),
  layers,
  how: fc.constantFrom('always', 'if missing', 'mount', 'in chunks'),
  tag: fc.constantFrom('v1', 'v2', undefined),
})
const index = fc.record({ do: fc.constant('index' as const), layers, tag: fc.constant('v3') })
const collect = fc.record({ do: fc.constant('collect' as const), untagged: fc.boolean() })
const untag = fc.record({ do: fc.constant('untag' as const), tag: fc.constantFrom('v1', 'v3') })
const blob = fc.record({ do: fc.constant('blob' as const), layer: fc.constantFrom(0, 1, 2) })

const step = fc.oneof(image, index, collect, untag, blob)
const RUNS = Number(process.env['SPINDLE_RUNS'] ?? 120)

const race = fc.record({
  /** The stored content, and which of it is garbage. */
  before: fc.array(fc.oneof(image, index, untag, blob), { minLength: 1, maxLength: 4 }),
  collector: fc.array(collect, { minLength: 1, maxLength: 2 }),
  pusher: fc.array(fc.oneof({ weight: 3, arbitrary: image }, index), {
    minLength: 1,
    maxLength: 2,
  }),
  third: fc.oneof(image, collect, untag, blob),
  plan: fc.array(fc.record({ actor: fc.nat({ max: 2 }), calls: fc.integer({ min: 1, max: 60 }) }), {
    maxLength: 10,
  }),
})

/** Fails unless every readable manifest has all of its blobs. */
async function assertWhole(client: Client, reference: string): Promise<void> {
  const response = await client.send('GET', `/v2/app/manifests/${reference}`)
  expect(response.status, reference).toBe(200)
  const manifest = (await response.json()) as {
    layers?: Descriptor[]
    manifests?: Descriptor[]
    config?: Descriptor
  }
  for (const { digest } of manifest.manifests ?? []) await assertWhole(client, digest)
  for (const { digest } of [
    ...(manifest.layers ?? []),
    ...(manifest.config ? [manifest.config] : []),
  ]) {
    const blob = await client.send('GET', `/v2/app/blobs/${digest}`)
    expect(blob.status, `${digest} of ${reference}`).toBe(200)
    expect(await digestOf(new Uint8Array(await blob.arrayBuffer()))).toBe(digest)
  }
}

it(
  'pushes, tags and collections in any order lose and tear nothing',
  { timeout: 120_000 },
  async () => {
    let pushed = 0
    let collected = 0
    const run = async (client: Client, storage: Storage, s: Step): Promise<void> => {
      switch (s.do) {
        case 'blob':
          return putBlob(client, 'other', LAYERS[s.layer]!, 'always')
        case 'untag':
          return void (await client.send('DELETE', `/v2/app/manifests/${s.tag}`))
        case 'collect': {
          const { blobs } = await collectGarbage(storage, { grace: 0, untagged: s.untagged })
          collected += blobs
          return
        }
        case 'image':
        case 'index': {
          const how = s.do === 'image' ? s.how : 'if missing'
          for (const bytes of [CONFIG, ...s.layers.map((at) => LAYERS[at]!)])
            await putBlob(client, 'app', bytes, how)
          const manifest = await imageOf(s.layers)
          const digest = await digestOf(manifest)
          const at = s.do === 'image' ? (s.tag ?? digest) : digest
          let status = await putManifest(client, manifest, OCI_MANIFEST, at)
          if (s.do === 'index' && status === 201) {
            const list = encodeUtf8(
              JSON.stringify({
                schemaVersion: 2,
                mediaType: OCI_INDEX,
                manifests: [await describeBytes(manifest, OCI_MANIFEST)],
              }),
            )
            status = await putManifest(client, list, OCI_INDEX, s.tag)
          }
          // A blob can be collected before the push of its manifest: that push is then rejected.
          expect([201, 404]).toContain(status)
          if (status === 201) pushed++
        }
      }
    }
    await fc.assert(
      fc.asyncProperty(race, async ({ before, collector, pusher, third, plan }) => {
        const storage = createMemoryStorage()
        const client = createClient({ storage })
        for (const s of before) await run(client, storage, s)
        const turns = createTurns(storage, aged(storage))
        await turns.play(
          [collector, pusher, [third]].map(async (steps, actor) => {
            const view = turns.viewOf(actor)
            const instance = createClient({ storage: view })
            for (const s of steps) await run(instance, view, s)
          }),
          plan,
        )
        const prefix = 'repositories/app/_manifests/sha256/'
        for await (const { key } of listAll(storage, prefix))
          await assertWhole(client, `sha256:${key.slice(prefix.length, prefix.length + 64)}`)
        const list = await client.send('GET', '/v2/app/tags/list')
        const { tags = [] } = (await list.json()) as { tags?: string[] }
        for (const tag of tags) await assertWhole(client, tag)
        // A collection without concurrent pushes removes all garbage.
        await collectGarbage(aged(storage), { grace: 0, untagged: true })
        for (const tag of tags) await assertWhole(client, tag)
        for (const tag of tags) await client.send('DELETE', `/v2/app/manifests/${tag}`)
        await collectGarbage(aged(storage), { grace: 0, untagged: true })
        for (const left of ['blobs/', 'repositories/', 'pending/'])
          expect((await storage.list(left)).entries).toEqual([])
      }),
      { numRuns: RUNS },
    )
    // The races did occur.
    expect(pushed).toBeGreaterThan(RUNS)
    expect(collected).toBeGreaterThan(RUNS / 10)
  },
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
