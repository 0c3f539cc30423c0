import { expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { formatCanonicalJson } from '../../src/bytes/json.ts'
import { streamOf } from '../../src/bytes/stream.ts'
import { EMPTY_DESCRIPTOR, IMAGE_INDEX, IMAGE_MANIFEST } from '../../src/oci/manifest.ts'
import { MAX_GRAPH_BYTES, readGraph } from '../../src/store/graph.ts'
import type { Descriptor, Digest, ReadStore } from '../../src/types.ts'

const MANIFEST = 4 * 1024 * 1024

it('an index of hundreds of the largest manifests is aborted before all are buffered', async () => {
  const contents = new Map<Digest, Uint8Array>()
  const keep = async (mediaType: string, value: object): Promise<Descriptor> => {
    const bytes = formatCanonicalJson({ schemaVersion: 2, mediaType, ...value })
    const digest = await digestOf(bytes)
    contents.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const manifests: Descriptor[] = []
  for (let i = 0; i < 20; i++) {
    const annotations = { i: `${i}`, padding: 'x'.repeat(MANIFEST - 500) }
    manifests.push(
      await keep(IMAGE_MANIFEST, { config: EMPTY_DESCRIPTOR, layers: [], annotations }),
    )
  }
  const root = await keep(IMAGE_INDEX, { manifests })
  let sent = 0
  const store: ReadStore = {
    async fetch({ digest }) {
      const bytes = contents.get(digest)!
      sent += bytes.length
      return streamOf(bytes)
    },
    has: async () => true,
    resolve: async () => root,
  }
  await expect(readGraph(store, root)).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  expect(sent).toBeGreaterThan(MAX_GRAPH_BYTES - 2 * MANIFEST)
  expect(sent).toBeLessThanOrEqual(MAX_GRAPH_BYTES)
})
