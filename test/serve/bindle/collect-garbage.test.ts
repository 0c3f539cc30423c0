import { describe, expect, it } from 'vitest'
import { pushStandalone } from '../../../src/bindle/push-standalone.ts'
import { readBounded } from '../../../src/bytes/stream.ts'
import { decodeUtf8Lossy } from '../../../src/bytes/text.ts'
import { collectBindleGarbage } from '../../../src/serve/bindle/collect-parcels.ts'
import { createBindleHandler } from '../../../src/serve/bindle/handler.ts'
import { createMemoryStorage } from '../../../src/serve/storage/memory.ts'
import { listAll, type Storage } from '../../../src/serve/storage/port.ts'
import { bindleOf, clientOf } from '../../bindle/small-bindle.ts'

const parcelsOf = async (storage: Storage): Promise<number> => {
  let count = 0
  for await (const { key } of listAll(storage, 'bindle/parcels/')) count += key.length > 0 ? 1 : 0
  return count
}
const setUp = () => {
  const storage = createMemoryStorage()
  return { storage, client: clientOf(createBindleHandler({ storage })) }
}

describe('garbage collection of a Bindle server', () => {
  it('removes parcels that only yanked invoices list, and no others', async () => {
    const { storage, client } = setUp()
    const [old, now] = [await bindleOf(['both', 'old']), await bindleOf(['both', 'new'], '2.0.0')]
    await pushStandalone(client, old)
    await pushStandalone(client, now)
    expect(await collectBindleGarbage(storage)).toEqual({ parcels: 0, bytes: 0 })
    await client.yank(old.id)
    const gone: string[] = []
    const told = { onGarbage: ({ sha256 }: { sha256: string }) => gone.push(sha256) }
    const found = { parcels: 1, bytes: 'old'.length }
    expect(await collectBindleGarbage(storage, { dryRun: true, ...told })).toEqual(found)
    expect(await parcelsOf(storage)).toBe(3)
    expect(await collectBindleGarbage(storage, told)).toEqual(found)
    expect(gone).toEqual(Array(2).fill(old.invoice.parcel![1]!.label.sha256))
    expect(await parcelsOf(storage)).toBe(2)
    for (const { label } of now.invoice.parcel!)
      expect(
        label.name.startsWith(
          decodeUtf8Lossy(await readBounded(await client.parcel(now.id, label), 99, 'x')),
        ),
      ).toBe(true)
    expect((await client.invoice(old.id, { yanked: true })).yanked).toBe(true)
  })

  it('accepts removed parcels again, repeatedly', async () => {
    const { storage, client } = setUp()
    for (let version = 1; version <= 12; version++) {
      const bindle = await bindleOf(['same'], `${version}.0.0`)
      expect(await pushStandalone(client, bindle)).toMatchObject({ uploaded: 1 })
      const { label } = bindle.invoice.parcel![0]!
      const body = await client.parcel(bindle.id, label)
      expect(decodeUtf8Lossy(await readBounded(body, 99, 'x'))).toBe('same')
      await client.yank(bindle.id)
      expect(await collectBindleGarbage(storage)).toEqual({ parcels: 1, bytes: 4 })
    }
    expect(await parcelsOf(storage)).toBe(0)
  })

  it('removes the leftovers of an interrupted run, but not the parcel in use', async () => {
    const { storage, client } = setUp()
    const broken = { ...storage, delete: () => Promise.reject(new Error('ended')) }
    const first = await bindleOf(['same'])
    await pushStandalone(client, first)
    await client.yank(first.id)
    await expect(collectBindleGarbage(broken)).rejects.toThrow('ended')
    await pushStandalone(client, await bindleOf(['same'], '2.0.0'))
    expect(await parcelsOf(storage)).toBe(2)
    expect(await collectBindleGarbage(storage)).toEqual({ parcels: 1, bytes: 4 })
    expect(await parcelsOf(storage)).toBe(1)
    expect(await client.missing((await bindleOf([], '2.0.0')).id)).toEqual([])
  })

  it('removes nothing when an invoice is unreadable, or when aborted', async () => {
    const { storage, client } = setUp()
    const bindle = await bindleOf(['one'])
    await pushStandalone(client, bindle)
    await client.yank(bindle.id)
    const stopped = AbortSignal.abort(new Error('stopped'))
    await expect(collectBindleGarbage(storage, { signal: stopped })).rejects.toThrow('stopped')
    await storage.put('bindle/invoices/~x/~1.0.0', new TextEncoder().encode('no invoice'))
    await expect(collectBindleGarbage(storage)).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
    expect(await parcelsOf(storage)).toBe(1)
    await expect(collectBindleGarbage(storage, { memory: 0 })).rejects.toThrow('"memory"')
  })
})
