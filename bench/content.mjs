import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'

const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** An OCI image layout with one manifest over random layers, tagged `v1`: what every side is given. */
export function writeLayout(directory, count, size) {
  const blobs = join(directory, 'blobs', 'sha256')
  mkdirSync(blobs, { recursive: true })
  const keep = (mediaType, bytes) => {
    const digest = digestOf(bytes)
    writeFileSync(join(blobs, digest.slice(7)), bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const layers = Array.from({ length: count }, () => keep(LAYER, randomBytes(size)))
  const config = {
    architecture: 'wasm',
    os: 'wasip1',
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: keep('application/vnd.oci.image.config.v1+json', Buffer.from(JSON.stringify(config))),
    layers,
  }
  const root = keep(manifest.mediaType, Buffer.from(JSON.stringify(manifest)))
  writeFileSync(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  writeFileSync(
    join(directory, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [{ ...root, annotations: { 'org.opencontainers.image.ref.name': 'v1' } }],
    }),
  )
}

/** Of the streamed layer: one mebibyte again and again, so that nobody has to hold it. */
export const block = new Uint8Array(1024 * 1024).map(
  (_, index) => (index * 31 + (index >> 8)) & 0xff,
)
