// Spindle in Node, in a process of its own: from a layout, into a layout or into memory; or streaming a large layer.
import { createHash } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import process from 'node:process'
import { copy } from '../../dist/copy.js'
import { createRepository } from '../../dist/repository.js'
import { createMemoryStore } from '../../dist/store.js'
import { createNodeFetch, createNodeHasher, openLayoutDirectory } from '../../dist/node.js'
import { block } from '../content.mjs'
import { say } from '../process.mjs'

// The last is a folder, or how many mebibytes to stream.
const [action, reference, layout] = process.argv.slice(2)
const before = process.resourceUsage().maxRSS * 1024
let requests = 0
// Counted by Node, as a `fetch` of our own around this one would be another one.
subscribe('http.client.request.start', () => requests++)
const options = { createHasher: createNodeHasher, fetch: createNodeFetch() }

/** A layer of one mebibyte after the other: re-openable, and never held. */
function createStreamedLayer(pieces) {
  const hash = createHash('sha256')
  const size = pieces * block.length
  for (let piece = 0; piece < pieces; piece++) hash.update(block)
  const descriptor = {
    mediaType: 'application/octet-stream',
    digest: `sha256:${hash.digest('hex')}`,
    size,
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
  return { descriptor, content: { size, stream } }
}

const actions = {
  async push() {
    return () => copy({ store: openLayoutDirectory(layout), ref: 'v1' }, reference, options)
  },
  async pull() {
    return () => copy(reference, { store: openLayoutDirectory(layout), ref: 'v1' }, options)
  },
  async 'pull-memory'() {
    return () => copy(reference, { store: createMemoryStore(), ref: 'v1' }, options)
  },
  async 'stream-push'() {
    const { descriptor, content } = createStreamedLayer(Number(layout))
    return () => createRepository(reference, options).push(descriptor, content, options)
  },
  async 'stream-pull'() {
    const { descriptor } = createStreamedLayer(Number(layout))
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
