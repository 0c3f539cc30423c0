// What we push is what containerd-shim-spin reads: it knows layers by their media types only, takes
// the lock from a layer, never from the config, and content from layers and archives by digest.
// https://github.com/spinframework/containerd-shim-spin/blob/main/containerd-shim-spin/src/source.rs
import { describe, expect, it } from 'vitest'
import { cursorOver } from '../../src/bytes/cursor.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { gunzip } from '../../src/bytes/gzip.ts'
import { chunksOf, streamOf } from '../../src/bytes/stream.ts'
import { readTar } from '../../src/bytes/untar.ts'
import type { LockedApp } from '../../src/spin/lock/locked-app.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { readContent } from '../../src/store/read-content.ts'
import type { Descriptor } from '../../src/types.ts'
import { bytesOfFile } from '../run/fixtures.ts'

interface Manifest {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

const MANIFEST = `spin_manifest_version = 2
[application]
name = "shim"
[[trigger.http]]
route = "/..."
component = "asker"
[component.asker]
source = "asker.wasm"
files = [{ source = "assets", destination = "/" }]
[component.asker.dependencies]
"test:words" = { path = "words.wasm" }
`

async function packed(archive: boolean) {
  const app = await loadApp(
    new Map<string, Uint8Array>([
      ['spin.toml', new TextEncoder().encode(MANIFEST)],
      ['asker.wasm', bytesOfFile('test/guests/asker.wasm')],
      ['words.wasm', bytesOfFile('test/guests/words.wasm')],
      ['assets/small.txt', new Uint8Array(3)],
      ['assets/large.txt', new Uint8Array(3000)],
    ]),
  )
  return app.pack({ archive })
}

async function readAsShim(archive: boolean): Promise<{ missing: string[]; lock: LockedApp }> {
  const { manifestBytes, store } = await packed(archive)
  const { layers } = JSON.parse(new TextDecoder().decode(manifestBytes)) as Manifest
  const cache = new Set<string>()
  let lock: LockedApp | undefined
  for (const layer of layers) {
    const bytes = await readContent(store, layer, {})
    switch (layer.mediaType) {
      case 'application/vnd.fermyon.spin.application.v1+config':
        lock = JSON.parse(new TextDecoder().decode(bytes)) as LockedApp
        break
      case 'application/vnd.wasm.content.layer.v1+wasm':
      case 'application/vnd.wasm.content.layer.v1+data':
        cache.add(layer.digest)
        break
      case 'application/vnd.wasm.content.bundle.v1.tar+gzip':
        for await (const entry of readTar(
          cursorOver(gunzip(chunksOf(streamOf(bytes)), { maxBytes: 1e6, what: 'x' })),
          { what: 'x' },
        ))
          if (entry.kind === 'file') cache.add(await digestOf(await entry.bytes()))
        break
      default:
        throw new Error(`the shim does not know ${layer.mediaType}`)
    }
  }
  if (lock === undefined) throw new Error('the shim finds no lock')
  const missing = lock.components
    .flatMap(({ source, files = [] }) => [
      // It looks for Wasm among the layers only, however small it is.
      ...(cache.has(source.digest) ? [] : ['wasm']),
      ...files.filter(({ digest, inline }) => inline === undefined && !cache.has(digest)),
    ])
    .map(String)
  return { missing, lock }
}

describe('containerd-shim-spin', () => {
  it.each([false, true])('finds everything that is pushed, as archives: %s', async (archive) => {
    const { missing, lock } = await readAsShim(archive)
    expect(missing).toEqual([])
    expect(lock.components).toHaveLength(1)
    // Its Spin may be too old to compose.
    expect(lock.components[0]?.dependencies).toBeUndefined()
  })

  it('gets it, as the config says that it is Wasm', async () => {
    const { manifestBytes, store } = await packed(false)
    const { config } = JSON.parse(new TextDecoder().decode(manifestBytes)) as Manifest
    expect(config.mediaType).toBe('application/vnd.oci.image.config.v1+json')
    const text = new TextDecoder().decode(await readContent(store, config, {}))
    expect(JSON.parse(text)).toMatchObject({ architecture: 'wasm', os: 'wasip1' })
  })
})
