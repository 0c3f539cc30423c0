import { describe, expect, it } from 'vitest'
import { mapBounded } from '../../../src/bytes/concurrency.ts'
import { digestOf } from '../../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../../src/bytes/text.ts'
import { createRegistryHandler } from '../../../src/serve/registry/handler.ts'
import type { Storage } from '../../../src/serve/storage/port.ts'
import { collectGarbage } from '../../../src/serve/registry/gc/collect-garbage.ts'
import { createClient, OCI_INDEX } from '../registry/client.ts'
import type { Client } from '../registry/client.ts'

/** Two registries over one place, pushed to at once: nothing is lost, nothing torn. */
export function describeInstances(
  name: string,
  create: () => Promise<{ storage: Storage; open: () => Storage }>,
  /** The object store does as many things at once as it can bear here. */
  clients = 8,
): void {
  describe(`two registries over one ${name} storage`, () => {
    it('lose and tear nothing that is pushed to both at once', async () => {
      const { storage, open } = await create()
      const handlers = [
        createRegistryHandler({ storage }),
        createRegistryHandler({ storage: open() }),
      ]
      const send = async (at: number, path: string, init: RequestInit = {}): Promise<Response> => {
        const response = await handlers[at % 2]!.fetch(new Request(`https://r.test${path}`, init))
        expect(response.status, `${init.method ?? 'GET'} ${path}`).toBeLessThan(300)
        return response
      }
      const put = (body: Uint8Array, headers = {}): RequestInit => ({
        method: 'PUT',
        body: body as Uint8Array<ArrayBuffer>,
        headers,
      })
      // Some of what each pushes the others push as well.
      const images = await mapBounded(
        Array.from({ length: 24 }, (_, index) => index),
        clients,
        async (index) => {
          const layers = [`own ${index}`, `of three ${index % 8}`, 'of all'].map(encodeUtf8)
          const descriptors = []
          for (const [step, layer] of layers.entries()) {
            const digest = await digestOf(layer)
            // Each request of a session may meet the other instance.
            const start = await send(index + step, '/v2/app/blobs/uploads/', { method: 'POST' })
            const location = start.headers.get('location')!
            await send(index + step + 1, `${location}?digest=${digest}`, put(layer))
            descriptors.push({ mediaType: 'text/plain', digest, size: layer.length })
          }
          const manifest = encodeUtf8(
            JSON.stringify({
              schemaVersion: 2,
              mediaType: 'application/vnd.oci.image.manifest.v1+json',
              config: descriptors[0],
              layers: descriptors,
            }),
          )
          const type = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }
          await send(index, `/v2/app/manifests/v${index}`, put(manifest, type))
          await send(index + 1, '/v2/app/manifests/latest', put(manifest, type))
          return { digest: await digestOf(manifest), manifest, layers, descriptors }
        },
      )
      for (const [index, { digest, manifest, layers, descriptors }] of images.entries()) {
        const got = await send(index + 1, `/v2/app/manifests/v${index}`)
        expect(got.headers.get('docker-content-digest')).toBe(digest)
        expect(new Uint8Array(await got.arrayBuffer())).toEqual(manifest)
        for (const [at, layer] of layers.entries()) {
          const blob = await send(index + at, `/v2/app/blobs/${descriptors[at]!.digest}`)
          expect(new Uint8Array(await blob.arrayBuffer())).toEqual(layer)
        }
      }
      const tags = (await (await send(0, '/v2/app/tags/list')).json()) as { tags: string[] }
      expect(tags.tags).toHaveLength(images.length + 1)
      const latest = (await send(1, '/v2/app/manifests/latest')).headers.get(
        'docker-content-digest',
      )
      expect(images.map(({ digest }) => digest)).toContain(latest)
    })

    it('keep all that is pushed while garbage is collected, by both at once', async () => {
      const { storage, open } = await create()
      const views = [storage, open()]
      const clients = views.map((view) => createClient({ storage: view }))
      for (let i = 0; i < 4; i++)
        await clients[0]!.image('app', undefined, { annotations: { i: `${i}` } })
      const collect = async (view: Storage): Promise<void> => {
        for (let i = 0; i < 2; i++) await collectGarbage(view, { grace: 0, untagged: true })
      }
      // Without grace a blob may be gone before its manifest comes: who is told so pushes again.
      const persist = async (i: number): ReturnType<Client['image']> => {
        for (let attempt = 0; attempt < 20; attempt++) {
          const pushed = await clients[i % 2]!.image('app', `v${i}`).catch(() => undefined)
          if (pushed !== undefined) return pushed
        }
        throw new Error(`v${i} was refused again and again`)
      }
      const [images] = await Promise.all([
        mapBounded([0, 1, 2, 3, 4, 5], clients.length, persist),
        ...views.map(collect),
      ])
      for (const [i, { digest, layer }] of images.entries()) {
        const tag = await clients[(i + 1) % 2]!.send('GET', `/v2/app/manifests/v${i}`)
        expect(tag.headers.get('docker-content-digest')).toBe(digest)
        expect((await clients[i % 2]!.send('GET', `/v2/app/blobs/${layer}`)).status).toBe(200)
      }
    })

    it('let one of several conditional tags win, whichever instance it meets', async () => {
      const { storage, open } = await create()
      const handlers = [
        createRegistryHandler({ storage }),
        createRegistryHandler({ storage: open() }),
      ]
      const pushes = Array.from({ length: 8 }, (_, index) => {
        const annotations = { index: String(index) }
        const body = JSON.stringify({
          schemaVersion: 2,
          mediaType: OCI_INDEX,
          manifests: [],
          annotations,
        })
        return handlers[index % 2]!.fetch(
          new Request('https://r.test/v2/app/manifests/release', {
            method: 'PUT',
            body,
            headers: { 'content-type': OCI_INDEX, 'if-none-match': '*' },
          }),
        )
      })
      const statuses = (await Promise.all(pushes)).map(({ status }) => status)
      expect(statuses.toSorted()).toEqual([201, ...Array.from({ length: 7 }, () => 412)])
    })
  })
}
