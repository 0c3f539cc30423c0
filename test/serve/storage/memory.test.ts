import { expect, it } from 'vitest'
import { createRegistryHandler } from '../../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../../src/serve/storage/memory.ts'
import { describeStorage } from './contract.ts'

describeStorage('memory', async () => {
  const storage = createMemoryStorage()
  return { storage, open: () => storage }
})

it('rejects values beyond its limit, and frees deleted ones', async () => {
  const storage = createMemoryStorage({ maxBytes: 10_000 })
  await storage.put('a', new Uint8Array(6000))
  await expect(storage.put('b', new Uint8Array(6000))).rejects.toMatchObject({
    code: 'ERR_LIMIT_EXCEEDED',
  })
  await expect(storage.put('b', new Blob([new Uint8Array(6000)]))).rejects.toMatchObject({
    code: 'ERR_LIMIT_EXCEEDED',
  })
  await storage.put('a', new Uint8Array(9000))
  await storage.delete('a')
  await storage.put('b', new Uint8Array(9000))
  expect(await storage.head('b')).toMatchObject({ size: 9000 })
})

it('counts empty values too, such as abandoned uploads', async () => {
  const storage = createMemoryStorage({ maxBytes: 100_000 })
  const registry = createRegistryHandler({ storage })
  const open = async (): Promise<number> =>
    (
      await registry.fetch(
        new Request('https://registry.test/v2/a/blobs/uploads/', { method: 'POST' }),
      )
    ).status
  let opened = 0
  while ((await open()) === 202 && opened < 1000) opened++
  expect(opened).toBeGreaterThan(100)
  expect(opened).toBeLessThan(1000)
  expect(await open()).toBe(507)
  const [first] = (await storage.list('uploads/', { limit: 1 })).entries
  await storage.delete(first!.key)
  expect(await open()).toBe(202)
})
