import process from 'node:process'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { pushStandalone } from '../../../src/bindle/push-standalone.ts'
import { digestOf, hexOf } from '../../../src/bytes/digest.ts'
import { readBounded } from '../../../src/bytes/stream.ts'
import { collectBindleGarbage } from '../../../src/serve/bindle/collect-parcels.ts'
import { createBindleHandler } from '../../../src/serve/bindle/handler.ts'
import { createMemoryStorage } from '../../../src/serve/storage/memory.ts'
import type { Storage } from '../../../src/serve/storage/port.ts'
import { bindleOf, clientOf } from '../../bindle/small-bindle.ts'
import { createTurns } from '../storage/turns.ts'

const RUNS = Number(process.env['SPINDLE_RUNS'] ?? 120)

const texts = fc.constantFrom(['one'], ['one', 'two'], ['three'])
const race = fc.record({
  /** Invoices yanked at the beginning: their parcels are garbage. */
  before: fc.array(texts, { minLength: 1, maxLength: 3 }),
  pushers: fc.tuple(texts, texts),
  yanksToo: fc.boolean(),
  plan: fc.array(fc.record({ actor: fc.nat({ max: 3 }), calls: fc.integer({ min: 1, max: 30 }) }), {
    maxLength: 12,
  }),
})

it(
  'pushes, yanks and collections in any order lose and tear nothing',
  { timeout: 120_000 },
  async () => {
    let collected = 0
    await fc.assert(
      fc.asyncProperty(race, async ({ before, pushers, yanksToo, plan }) => {
        const storage = createMemoryStorage()
        const serverOf = (view: Storage) => clientOf(createBindleHandler({ storage: view }))
        const client = serverOf(storage)
        for (const [index, list] of before.entries()) {
          const bindle = await bindleOf(list, `0.0.${index}`)
          await pushStandalone(client, bindle)
          await client.yank(bindle.id)
        }
        const turns = createTurns(storage)
        const bindles = await Promise.all(
          pushers.map((list, index) => bindleOf(list, `1.0.${index}`)),
        )
        const collect = async (view: Storage): Promise<void> => {
          collected += (await collectBindleGarbage(view)).parcels
        }
        await turns.play(
          [
            ...bindles.map(async (bindle, actor) => {
              const server = serverOf(turns.viewOf(actor))
              await pushStandalone(server, bindle)
              if (yanksToo && actor === 1) await server.yank(bindle.id)
            }),
            ...[2, 3].map((actor) => collect(turns.viewOf(actor))),
          ],
          plan,
        )
        for (const { id, invoice } of bindles.slice(0, yanksToo ? 1 : 2)) {
          expect(await client.missing(id)).toEqual([])
          for (const { label } of invoice.parcel!) {
            const bytes = await readBounded(await client.parcel(id, label), 99, 'a parcel')
            expect(hexOf(await digestOf(bytes))).toBe(label.sha256)
          }
        }
      }),
      { numRuns: RUNS },
    )
    expect(collected).toBeGreaterThan(0)
  },
)
