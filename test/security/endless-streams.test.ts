import { describe, expect, test } from 'vitest'
import { readLayoutTar } from '../../src/store/layout-tar.ts'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import type { Descriptor, ReadStore } from '../../src/types.ts'
import { buildArtifact, createArtifact } from '../fixtures/artifact.ts'

// A store answers with bytes that never end, or with more than it said.

function endless(onCancel: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(64 * 1024).fill(32))
    },
    cancel: onCancel,
  })
}

/** Endless from the `after`-th fetch on. */
function hostile(store: ReadStore, after: number, onCancel: () => void): ReadStore {
  let count = 0
  return {
    ...store,
    fetch: async (target) => (count++ < after ? store.fetch(target) : endless(onCancel)),
  }
}

describe('an endless stream is left, and cancelled', () => {
  test.each([
    ['manifest', 0],
    ['lock', 1],
    ['Wasm', 2],
  ])('as %s', async (_, after) => {
    let cancelled = 0
    const store = createArtifact()
    const root = await buildArtifact(store)
    const reading = (async () => {
      const app = await unpackApp(
        root,
        hostile(store, after, () => cancelled++),
      )
      await app.component('web')
    })()
    await expect(reading).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
    expect(cancelled).toBe(1)
  })
})

describe('a size that nothing real has is refused before a byte is read', () => {
  test.each([
    ['manifest', 'application/vnd.oci.image.manifest.v1+json', 5e6],
    ['manifest', 'application/vnd.oci.image.manifest.v1+json', Number.MAX_SAFE_INTEGER],
  ])('of a %s', async (_, mediaType, size) => {
    const digest: Descriptor['digest'] = `sha256:${'0'.repeat(64)}`
    const store = createArtifact()
    await expect(unpackApp({ mediaType, digest, size }, store)).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
    expect(store.fetched).toEqual([])
  })

  test('of a lock', async () => {
    const store = createArtifact()
    const root = await buildArtifact(store, {
      manifestText: (text) =>
        text.replace(/(v1\+config","digest":"[^"]+","size":)\d+/, '$199999999999'),
    })
    await expect(unpackApp(root, store)).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
    expect(store.fetched).toHaveLength(1)
  })
})

test('an endless body pushed to a layout keeps nothing', async () => {
  const layout = await readLayoutTar()
  const target: Descriptor = {
    mediaType: 'a/b',
    digest: `sha256:${'0'.repeat(64)}`,
    size: 10_000_000,
  }
  let cancelled = false
  await expect(
    layout.push(
      target,
      endless(() => (cancelled = true)),
    ),
  ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  expect(cancelled).toBe(true)
  expect(await layout.has(target)).toBe(false)
})
