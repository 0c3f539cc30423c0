import { describe, expect, it } from 'vitest'
import { pushStandalone } from '../../../src/bindle/push-standalone.ts'
import { mapBounded } from '../../../src/bytes/concurrency.ts'
import { digestOf, hexOf } from '../../../src/bytes/digest.ts'
import { readBounded } from '../../../src/bytes/stream.ts'
import { collectBindleGarbage } from '../../../src/serve/bindle/collect-parcels.ts'
import { createBindleHandler } from '../../../src/serve/bindle/handler.ts'
import type { Storage } from '../../../src/serve/storage/port.ts'
import type { FetchHandler } from '../../../src/types.ts'
import { bindleOf, clientOf } from '../../bindle/small-bindle.ts'

/** Two Bindle servers over one place, pushed to at once: nothing is lost, nothing torn. */
export function describeBindleInstances(
  name: string,
  create: () => Promise<{ storage: Storage; open: () => Storage }>,
  /** The object store does as many things at once as it can bear here. */
  clients = 8,
): void {
  describe(`two Bindle servers over one ${name} storage`, () => {
    /** Each request meets the server that the one before did not. */
    const alternating = (servers: readonly FetchHandler[]): FetchHandler => {
      let at = 0
      return { fetch: (request) => servers[at++ % servers.length]!.fetch(request) }
    }
    const setUp = async () => {
      const { storage, open } = await create()
      const views = [storage, open()]
      const servers = views.map((view) => createBindleHandler({ storage: view }))
      return { views, client: clientOf(alternating(servers)) }
    }
    type Client = ReturnType<typeof clientOf>
    type Bindle = Awaited<ReturnType<typeof bindleOf>>

    async function expectWhole(client: Client, { id, invoice }: Bindle): Promise<void> {
      expect(await client.missing(id)).toEqual([])
      for (const { label } of invoice.parcel!) {
        const bytes = await readBounded(await client.parcel(id, label), 99, 'a parcel')
        expect(hexOf(await digestOf(bytes))).toBe(label.sha256)
      }
    }

    it('lose and tear nothing that is pushed to both at once', async () => {
      const { client } = await setUp()
      // Some of what each pushes the others push as well.
      const bindles = await Promise.all(
        Array.from({ length: 16 }, (_, index) =>
          bindleOf([`own ${index}`, `of four ${index % 4}`, 'of all'], `1.0.${index}`),
        ),
      )
      await mapBounded(bindles, clients, (bindle) => pushStandalone(client, bindle))
      for (const bindle of bindles) await expectWhole(client, bindle)
      const found: string[] = []
      for await (const { bindle } of client.query('app')) found.push(bindle.version)
      expect(found.toSorted()).toEqual(bindles.map(({ id }) => id.version).toSorted())
    })

    it('give one name to one of several invoices', async () => {
      const { client } = await setUp()
      const rivals = await Promise.all(
        Array.from({ length: 6 }, (_, index) => bindleOf([`of ${index}`])),
      )
      const results = await Promise.allSettled(rivals.map(({ invoice }) => client.create(invoice)))
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const winner = rivals[results.findIndex(({ status }) => status === 'fulfilled')]!
      expect((await client.invoice(winner.id)).parcel).toEqual(winner.invoice.parcel)
    })

    it('keep all that is pushed while garbage is collected, by both at once', async () => {
      const { views, client } = await setUp()
      const texts = (index: number): string[] => [`of three ${index % 3}`, 'of all']
      for (let i = 0; i < 3; i++) {
        const { id, ...old } = await bindleOf(texts(i), `0.0.${i}`)
        await pushStandalone(client, { id, ...old })
        await client.yank(id)
      }
      const bindles = await Promise.all(
        Array.from({ length: 6 }, (_, index) => bindleOf(texts(index), `1.0.${index}`)),
      )
      const collect = async (view: Storage): Promise<void> => {
        for (let i = 0; i < 2; i++) await collectBindleGarbage(view)
      }
      await Promise.all([
        mapBounded(bindles, 2, (bindle) => pushStandalone(client, bindle)),
        ...views.map(collect),
      ])
      for (const bindle of bindles) await expectWhole(client, bindle)
    })
  })
}
