// A container image is somebody else's: its paths, links and sizes must not reach beyond it, and
// nothing is asked of a server that only its manifest names.
import { gzipSync } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import { readImage } from '../../src/spin/source/read-image.ts'
import { unpackApp, type UnpackOptions } from '../../src/spin/artifact/unpack.ts'
import { createArtifact } from '../fixtures/artifact.ts'
import {
  buildImage,
  type Entry,
  type ImageForm,
  OCI_LAYER,
  packers,
  SPIN_TOML,
} from '../fixtures/image.ts'

const BASE: readonly (readonly [string, Entry])[] = [
  ['spin.toml', SPIN_TOML],
  ['target/web.wasm', Uint8Array.of(0, 97, 115, 109, 13, 0, 1, 0)],
  ['assets/a.txt', 'a'],
]

async function open(form: ImageForm, options: UnpackOptions = {}) {
  const store = createArtifact()
  const app = await unpackApp(await buildImage(store, form), store, { ...options, readImage })
  return [...(await app.files('web')).keys()].sort()
}

const withLayer = (...entries: (readonly [string, Entry])[]): ImageForm => ({
  layers: [BASE, entries],
})

describe('a path in a layer', () => {
  it.each(['../a', 'assets/../../a', '..', `assets/${'x'.repeat(99)}`.slice(0, 90) + '/..'])(
    'stays in the image: %s',
    async (path) => {
      await expect(open(withLayer([path, 'x']))).rejects.toMatchObject({
        code: 'ERR_CONTENT_INVALID',
      })
    },
  )

  it('of a hard link stays in it too, and is of a file that is there', async () => {
    for (const hard of ['../../etc/passwd', '/etc/passwd', 'assets', 'nothing'])
      await expect(open(withLayer(['assets/l', { hard }]))).rejects.toMatchObject({
        code: 'ERR_CONTENT_INVALID',
      })
  })
})

describe('a symbolic link', () => {
  it.each(['/etc/passwd', '../../../etc/passwd', 'l', '/assets/l', 'nothing', ''])(
    'that leads nowhere in the image is no file: %s',
    async (symbolic) => {
      expect(await open(withLayer(['assets/l', { symbolic }]))).toEqual(['a.txt'])
    },
  )

  it('cannot make files of one folder endless', async () => {
    const files = await open(
      withLayer(
        ['assets/round', { symbolic: '.' }],
        ['assets/top', { symbolic: '/' }],
        ['assets/a/b', { symbolic: '../..' }],
      ),
    )
    expect(files.length).toBeLessThan(50)
  })

  it('counts each file that it makes', async () => {
    const many = Array.from({ length: 100 }, (_, i) => [`more/${i}`, 'x'] as const)
    const links = Array.from(
      { length: 100 },
      (_, i) => [`assets/l${i}`, { symbolic: '../more' }] as const,
    )
    await expect(open(withLayer(...many, ...links), { maxFiles: 5_000 })).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
  })
})

describe('layers are bounded', () => {
  it('by bytes, unpacked', async () => {
    const bomb = withLayer(['assets/z', new Uint8Array(2_000_000)])
    await expect(open(bomb, { maxBytes: 1_000_000 })).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
  })

  it('by bytes of all of them together', async () => {
    const layer: (readonly [string, Entry])[] = [['assets/z', new Uint8Array(400_000)]]
    await expect(
      open({ layers: [BASE, layer, layer, layer] }, { maxBytes: 1_000_000 }),
    ).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  it('by bytes before anything is unpacked', async () => {
    const layer: (readonly [string, Entry])[] = [['assets/z', new Uint8Array(400_000)]]
    await expect(
      open(
        { layers: [BASE, layer, layer, layer], pack: packers.tar, layerType: OCI_LAYER },
        { maxBytes: 1_000_000 },
      ),
    ).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  it('by entries of all of them together', async () => {
    const layer = Array.from({ length: 40 }, (_, i) => [`assets/${i}`, 'x'] as const)
    await expect(
      open({ layers: [BASE, layer, layer, layer] }, { maxFiles: 100 }),
    ).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  it('by the window that Zstandard asks for', async () => {
    const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 1, 0, 0)
    await expect(
      open({ layers: [BASE], pack: () => frame, layerType: `${OCI_LAYER}+zstd` }),
    ).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  it('by what Zstandard makes of few bytes', async () => {
    // Blocks of one byte, repeated 128 Ki times each.
    const blocks = Array.from({ length: 100 }, () => [0x02, 0x00, 0x10, 0x00]).flat()
    const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, ...blocks, 1, 0, 0)
    await expect(
      open(
        { layers: [BASE], pack: () => frame, layerType: `${OCI_LAYER}+zstd` },
        { maxBytes: 1_000_000 },
      ),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(?:LIMIT_EXCEEDED|CONTENT_INVALID)$/),
    })
  })

  it.each([
    ['gzip', gzipSync('x').subarray(0, 12)],
    ['Zstandard', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x80)],
    ['tar', new Uint8Array(700).fill(1)],
  ])('and damaged %s is refused', async (_, bytes) => {
    await expect(open({ layers: [BASE], pack: () => new Uint8Array(bytes) })).rejects.toMatchObject(
      { code: 'ERR_CONTENT_INVALID' },
    )
  })
})

describe('the manifest of an image', () => {
  it('makes nobody download what it names', async () => {
    const fetch = vi.spyOn(globalThis, 'fetch')
    const manifest = SPIN_TOML.replace(
      '"target/web.wasm"',
      `{ url = "http://169.254.169.254/latest", digest = "sha256:${'0'.repeat(64)}" }`,
    )
    await expect(open({ layers: [BASE, [['spin.toml', manifest]]] })).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_/),
    })
    expect(fetch).not.toHaveBeenCalled()
    fetch.mockRestore()
  })

  it('names no file outside of it', async () => {
    const manifest = SPIN_TOML.replace('target/web.wasm', '../../etc/passwd')
    await expect(open({ layers: [BASE, [['spin.toml', manifest]]] })).rejects.toMatchObject({
      code: 'ERR_APP_INVALID',
    })
  })
})
