// Images FROM scratch with a /spin.toml, as Docker makes them and containerd-shim-spin runs them.
import { describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../src/store/memory.ts'
import { openContents } from '../../src/spin/artifact/open-contents.ts'
import { readImage } from '../../src/spin/source/read-image.ts'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import { copy } from '../../src/verbs/copy.ts'
import { createArtifact } from '../fixtures/artifact.ts'
import {
  buildImage,
  DOCKER_LAYER,
  DOCKER_MANIFEST,
  type Entry,
  type ImageForm,
  OCI_LAYER,
  packers,
  SPIN_TOML,
} from '../fixtures/image.ts'

const WASM = Uint8Array.of(0, 97, 115, 109, 13, 0, 1, 0)
const BASE: readonly (readonly [string, Entry])[] = [
  ['spin.toml', SPIN_TOML],
  ['target/', { folder: true }],
  ['target/web.wasm', WASM],
  ['assets/a.txt', 'a'],
  ['assets/b.txt', 'b'],
]

async function filesOf(form: ImageForm): Promise<Record<string, string>> {
  const store = createArtifact()
  const app = await unpackApp(await buildImage(store, form), store, { readImage })
  const files = await app.files('web')
  return Object.fromEntries(
    [...files].map(([path, bytes]) => [path, Buffer.from(bytes as Uint8Array).toString()]),
  )
}

const withLayer = (...entries: (readonly [string, Entry])[]): ImageForm => ({
  layers: [BASE, entries],
})

/** A frame of RFC 8878 without entropy coding: one raw block per 100 KiB. */
const ZSTD = (bytes: Uint8Array): Uint8Array => {
  const parts: Uint8Array[] = [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58)]
  for (let at = 0; at < bytes.length; at += 102_400) {
    const part = bytes.subarray(at, at + 102_400)
    const head = (part.length << 3) | (at + part.length === bytes.length ? 1 : 0)
    parts.push(Uint8Array.of(head & 255, (head >> 8) & 255, head >> 16), part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

describe('a container image with a /spin.toml', () => {
  it.each([
    ['OCI, gzip', {}],
    ['OCI, plain', { pack: packers.tar, layerType: OCI_LAYER }],
    ['OCI, Zstandard', { pack: ZSTD, layerType: `${OCI_LAYER}+zstd` }],
    [
      'Docker, gzip',
      {
        layerType: `${DOCKER_LAYER}.gzip`,
        configType: 'application/vnd.docker.container.image.v1+json',
        manifestType: DOCKER_MANIFEST,
      },
    ],
    ['of a wrong type', { pack: packers.gzip, layerType: OCI_LAYER }],
  ] as const)('is an application: layers of %s', async (_, form) => {
    expect(await filesOf({ layers: [BASE], ...form })).toEqual({ 'a.txt': 'a', 'b.txt': 'b' })
  })

  it('has its component, and a lock as a pushed application has', async () => {
    const store = createArtifact()
    const root = await buildImage(store, { layers: [BASE] })
    const app = await unpackApp(root, store, { readImage })
    expect([...(await app.component('web'))]).toEqual([...WASM])
    expect(app.descriptor).toEqual(root)
    expect(app.locked.metadata).toMatchObject({ name: 'in-image', trigger: { type: 'http' } })
    expect(app.locked.triggers[0]?.trigger_config).toEqual({ component: 'web', route: '/...' })
  })

  it.each([
    ['deletes a file', [['assets/.wh.a.txt', '']], { 'b.txt': 'b' }],
    [
      'deletes a folder and fills it anew',
      [
        ['assets/.wh..wh..opq', ''],
        ['assets/c.txt', 'c'],
      ],
      { 'c.txt': 'c' },
    ],
    [
      'fills a folder before it says that the older files are gone',
      [
        ['assets/c.txt', 'c'],
        ['assets/.wh..wh..opq', ''],
      ],
      { 'c.txt': 'c' },
    ],
    ['writes a file over another', [['assets/a.txt', 'new']], { 'a.txt': 'new', 'b.txt': 'b' }],
    [
      'has paths from the top',
      [['/./assets/c.txt', 'c']],
      { 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' },
    ],
    [
      'has a hard link',
      [['assets/c.txt', { hard: 'assets/a.txt' }]],
      { 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'a' },
    ],
    [
      'has a symbolic link',
      [['assets/c.txt', { symbolic: './a.txt' }]],
      { 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'a' },
    ],
    [
      'has a link from the top',
      [['assets/c.txt', { symbolic: '/assets/a.txt' }]],
      { 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'a' },
    ],
    [
      'has a link to a folder',
      [
        ['more/d.txt', 'd'],
        ['assets/more', { symbolic: '../more' }],
      ],
      { 'a.txt': 'a', 'b.txt': 'b', 'more/d.txt': 'd' },
    ],
    [
      'has a file below a link to a folder',
      [
        ['link', { symbolic: 'assets' }],
        ['link/c.txt', 'c'],
      ],
      { 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' },
    ],
  ] as const)('is what its layers come to: one %s', async (_, entries, files) => {
    expect(await filesOf(withLayer(...entries))).toEqual(files)
  })

  it.each([
    [
      'wasi/wasm and an attestation',
      [
        ['wasi', 'wasm'],
        ['unknown', 'unknown'],
      ],
    ],
    [
      'linux/amd64 and an attestation',
      [
        ['linux', 'amd64'],
        ['unknown', 'unknown'],
      ],
    ],
    [
      'wasi/wasm32 beside linux/amd64',
      [
        ['wasi', 'wasm32'],
        ['linux', 'amd64'],
      ],
    ],
  ] as const)('is found in an index of %s', async (_, platforms) => {
    const store = createArtifact()
    const image = await buildImage(store, { layers: [BASE] })
    const other = await buildImage(store, { layers: [[['readme', 'x']]] })
    const manifests = platforms.map(([os, architecture], index) => ({
      ...(index === 0 ? image : other),
      platform: { os, architecture },
    }))
    const type = 'application/vnd.oci.image.index.v1+json'
    const index = await store.add(
      JSON.stringify({ schemaVersion: 2, mediaType: type, manifests }),
      type,
    )
    expect((await unpackApp(index, store, { readImage })).locked.components).toHaveLength(1)
  })

  it('is refused by those who do not ask for it, with the option that does', async () => {
    const store = createArtifact()
    await expect(
      unpackApp(await buildImage(store, { layers: [BASE] }), store),
    ).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
      message: expect.stringContaining('"readImage"'),
    })
  })

  it('without one is not an application', async () => {
    await expect(filesOf({ layers: [[['etc/passwd', 'x']]] })).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
      message: 'this artifact is no Spin application: it is a container image without a /spin.toml',
    })
  })

  it('tells what is wrong with its manifest', async () => {
    await expect(filesOf({ layers: [BASE, [['target/.wh.web.wasm', '']]] })).rejects.toMatchObject({
      code: 'ERR_APP_INVALID',
    })
  })

  it('is written to disk as others are, and copied', async () => {
    const store = createArtifact()
    const root = await buildImage(store, { layers: [BASE] })
    const app = await unpackApp(root, store, { readImage })
    const contents = await openContents(app, createMemoryStore(), { maxBytes: 1e6 })
    expect([...contents.keys()].sort()).toEqual([...(await app.contents()).keys()].sort())
    const target = createMemoryStore()
    await copy(
      { store: { ...store, resolve: async () => root }, ref: root.digest },
      { store: target, ref: 'x' },
    )
    expect((await unpackApp(await target.resolve('x'), target, { readImage })).locked).toEqual(
      app.locked,
    )
  })
})
