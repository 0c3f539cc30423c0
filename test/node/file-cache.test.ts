import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describeContent } from '../../src/bytes/describe.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { createFileCache } from '../../src/node/files/file-cache.ts'
import { createMachine } from './machine.ts'

const bytes = new TextEncoder().encode('content')
const DATA = 'application/vnd.wasm.content.layer.v1+data'
const WASM = 'application/vnd.wasm.content.layer.v1+wasm'
const LOCK = 'application/vnd.fermyon.spin.application.v1+config'

it.each([
  [WASM, 'linux', 'wasm/sha256:'],
  [DATA, 'linux', 'data/sha256:'],
  [DATA, 'win32', 'data/sha256_'],
  [LOCK, 'linux', 'blobs/sha256/'],
])(
  'keeps %s on %s where Spin looks for it, or where it does not look',
  async (mediaType, platform, place) => {
    const root = createMachine().path('cache')
    const cache = createFileCache(root, platform)
    const target = await describeContent(bytes, mediaType)
    expect(await cache.has(target)).toBe(false)
    await expect(cache.fetch(target)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    await cache.push(target, bytes)
    expect(await cache.has(target)).toBe(true)
    expect(await readVerified(await cache.fetch(target), target)).toEqual(bytes)
    expect(readFileSync(join(root, 'registry', `${place}${target.digest.slice(7)}`))).toEqual(
      Buffer.from(bytes),
    )
  },
)

it('finds a file that is also a component, as Spin does', async () => {
  const cache = createFileCache(createMachine().path('cache'))
  await cache.push(await describeContent(bytes, DATA), bytes)
  expect(await cache.has(await describeContent(bytes, WASM))).toBe(true)
})

it('keeps nothing that does not fit its digest, and has nothing of another size', async () => {
  const root = createMachine().path('cache')
  const cache = createFileCache(root)
  const target = await describeContent(bytes, DATA)
  await expect(cache.push(target, new Uint8Array(7))).rejects.toMatchObject({
    code: 'ERR_DIGEST_MISMATCH',
  })
  expect(await cache.has(target)).toBe(false)
  await cache.push(target, bytes)
  const folder = join(root, 'registry', 'data')
  expect(readdirSync(folder)).toEqual([target.digest])
  writeFileSync(join(folder, target.digest), 'cut')
  expect(await cache.has(target)).toBe(false)
})

it('has no names', async () => {
  const cache = createFileCache(createMachine().path('cache'))
  await expect(cache.resolve('latest')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
})
