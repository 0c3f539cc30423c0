import { describe, expect, it } from 'vitest'
import { readBounded } from '../../src/bytes/stream.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import type { FetchLike } from '../../src/types.ts'
import { blobOf, collect, manifestOf, pushArtifact } from '../registry/artifacts.ts'

const BYTES = Uint8Array.from({ length: 700_000 }, (_, at) => (at * 31) & 255)

describe('the client of a registry, in every runtime', () => {
  it('pushes, names, lists, refers, mounts, reads back and deletes', async () => {
    const registry = createRegistryHandler()
    const { fetch } = registry
    const repository = createRepository('registry.test/t/a', { fetch })
    const { layer: pushed, manifest: root } = await pushArtifact(repository, BYTES, 'v1')
    const layer = pushed.descriptor
    await repository.tag(root.descriptor, 'v2')
    expect(await repository.resolve('v2')).toEqual(root.descriptor)
    expect(await readVerified(await repository.fetch(layer), layer)).toEqual(BYTES)

    expect(await collect(repository.tags())).toEqual(['v1', 'v2'])

    const note = await manifestOf([], { subject: root.descriptor })
    await repository.push(note.descriptor, note.bytes)
    const referrers = await collect(repository.referrers(root.descriptor))
    expect(referrers.map(({ digest }) => digest)).toEqual([note.descriptor.digest])

    const other = createRepository('registry.test/t/b', { fetch })
    expect(await other.mount(layer, 't/a')).toBe(true)
    expect(await other.has(layer)).toBe(true)

    await repository.delete(root.descriptor)
    await expect(repository.resolve('v1')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  })

  it('takes up a download that stands still where it stopped', async () => {
    const { descriptor: layer } = await blobOf(BYTES)
    const ranges: (string | null)[] = []
    const fetch: FetchLike = async (request) => {
      ranges.push(request.headers.get('range'))
      if (ranges.length > 1)
        return new Response(BYTES.slice(1000), {
          status: 206,
          headers: { 'content-range': `bytes 1000-${BYTES.length - 1}/${BYTES.length}` },
        })
      return new Response(
        // The first part, and then nothing, neither bytes nor an end.
        new ReadableStream({ start: (controller) => controller.enqueue(BYTES.slice(0, 1000)) }),
      )
    }
    const repository = createRepository('registry.test/t/a', {
      fetch,
      idleTimeout: 50,
      retry: { delay: () => 1 },
    })
    expect(await readBounded(await repository.fetch(layer), 1e6, 'it')).toEqual(BYTES)
    // A slow machine may let the second stand still, too: it is asked for in the same way.
    expect(new Set(ranges)).toEqual(new Set([null, 'bytes=1000-']))
    expect(ranges[0]).toBeNull()
  })

  it('ends a download that stands still again and again', async () => {
    const { descriptor: layer } = await blobOf(BYTES)
    const repository = createRepository('registry.test/t/a', {
      fetch: async () => new Response(new ReadableStream()),
      idleTimeout: 20,
      retry: { limit: 1, delay: () => 1 },
    })
    await expect(readVerified(await repository.fetch(layer), layer)).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
    })
  })
})
