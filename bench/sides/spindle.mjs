// Spindle in Node, in a process of its own: push from a layout, pull into memory, stream a large layer.
import { createHash } from 'node:crypto'
import { openAsBlob, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { copy, createMemoryStore, createRepository } from 'spindle'
import { createNodeHasher } from 'spindle/node'
import { block, STREAMED_BYTES } from '../content.mjs'
import { say } from '../process.mjs'

/** Above this, files are handed over as files and not read at once. */
const WHOLE_BYTES = 1024 * 1024

const [action, reference, layout] = process.argv.slice(2)
const before = process.resourceUsage().maxRSS * 1024
let requests = 0
const options = {
  createHasher: createNodeHasher,
  fetch(request) {
    requests++
    return fetch(request)
  },
}

/** A layout on disk, read as it is asked for: what `oras cp --from-oci-layout` does. */
async function openLayout(directory) {
  const path = (target) => join(directory, 'blobs', 'sha256', target.digest.slice(7))
  const index = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'))
  const large = new Map()
  const manifest = JSON.parse(readFileSync(path(index.manifests[0]), 'utf8'))
  for (const layer of manifest.layers) {
    if (layer.size > WHOLE_BYTES) large.set(layer.digest, await openAsBlob(path(layer)))
  }
  return {
    fetch: async (target) => new Blob([readFileSync(path(target))]).stream(),
    has: async () => true,
    resolve: async () => index.manifests[0],
    content: (target) => large.get(target.digest) ?? new Uint8Array(readFileSync(path(target))),
  }
}

/** A layer of one mebibyte after the other: re-openable, and never held. */
function createStreamedLayer() {
  const hash = createHash('sha256')
  const pieces = STREAMED_BYTES / block.length
  for (let piece = 0; piece < pieces; piece++) hash.update(block)
  const descriptor = {
    mediaType: 'application/octet-stream',
    digest: `sha256:${hash.digest('hex')}`,
    size: STREAMED_BYTES,
  }
  const stream = () => {
    let piece = 0
    return new ReadableStream(
      {
        pull(controller) {
          // A copy: whoever reads it may take its memory over.
          if (piece++ < pieces) controller.enqueue(block.slice())
          else controller.close()
        },
      },
      { highWaterMark: 0 },
    )
  }
  return { descriptor, content: { size: STREAMED_BYTES, stream } }
}

const actions = {
  async push() {
    const store = await openLayout(layout)
    return () => copy({ store, ref: 'v1' }, reference, options)
  },
  async pull() {
    return () => copy(reference, { store: createMemoryStore(), ref: 'v1' }, options)
  },
  async 'stream-push'() {
    const { descriptor, content } = createStreamedLayer()
    return () => createRepository(reference, options).push(descriptor, content, options)
  },
  async 'stream-pull'() {
    const { descriptor } = createStreamedLayer()
    return async () => {
      const stream = await createRepository(reference, options).fetch(descriptor, options)
      let bytes = 0
      for await (const chunk of stream) bytes += chunk.length
      if (bytes !== descriptor.size) throw new Error(`${bytes} bytes came`)
    }
  },
}

const run = await actions[action]()
const started = performance.now()
await run()
say({ seconds: (performance.now() - started) / 1000, requests, before })
