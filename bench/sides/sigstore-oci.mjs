// @sigstore/oci, the best-known JavaScript client: pushes only, whole buffers only, eight at once as all others.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { say } from '../process.mjs'

const { RegistryClient } = createRequire(import.meta.url)('@sigstore/oci/dist/registry.js')
const [host, repository, layout] = process.argv.slice(2)
const read = (digest) => readFileSync(join(layout, 'blobs', 'sha256', digest.slice(7)))
const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'))
const manifestBytes = read(index.manifests[0].digest)
const manifest = JSON.parse(manifestBytes.toString())

const started = performance.now()
const client = new RegistryClient(host, repository, {})
const queue = [manifest.config, ...manifest.layers]
await Promise.all(
  Array.from({ length: 8 }, async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      await client.uploadBlob(read(next.digest))
    }
  }),
)
await client.uploadManifest(manifestBytes.toString(), { mediaType: manifest.mediaType })
say({ seconds: (performance.now() - started) / 1000 })
