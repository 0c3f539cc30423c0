import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { readBounded } from '../../src/bytes/stream.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { formatLockedApp } from '../../src/spin/lock/format-locked-app.ts'
import { parseLockedApp } from '../../src/spin/lock/parse-locked-app.ts'
import type { LockedApp, LockResult } from '../../src/spin/lock/locked-app.ts'
import { packApp, type PackedApp } from '../../src/spin/artifact/pack.ts'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import type { Content, Descriptor, Digest } from '../../src/types.ts'

const fixture = (name: string): Uint8Array =>
  readFileSync(new URL(`../fixtures/spin/${name}`, import.meta.url))

interface Manifest {
  config: Descriptor
  layers: Descriptor[]
  annotations?: Record<string, string>
}

function manifestOf(packed: PackedApp): Manifest {
  return JSON.parse(Buffer.from(packed.manifestBytes).toString()) as Manifest
}

async function blobOf(packed: PackedApp, descriptor: Descriptor): Promise<Buffer> {
  return Buffer.from(await readVerified(await packed.store.fetch(descriptor), descriptor))
}

/** An application with the given files; wasm is "wasm of ID" and padding. */
async function lockOf(
  components: Record<string, Record<string, string | Content>>,
): Promise<LockResult> {
  const contents = new Map<Digest, Uint8Array | Content>()
  const keep = async (content: string | Content): Promise<Digest> => {
    const bytes =
      typeof content === 'string' ? encodeUtf8(content) : await readBounded(content, 1e9, 'it')
    const digest = await digestOf(bytes)
    contents.set(digest, typeof content === 'string' ? bytes : content)
    return digest
  }
  const locked: LockedApp = {
    spin_lock_version: 0,
    metadata: { name: 'app', triggers: {} },
    triggers: [],
    components: [],
  }
  for (const [id, files] of Object.entries(components)) {
    const source = {
      content_type: 'application/wasm',
      digest: await keep(`wasm of ${id}${'.'.repeat(200)}`),
    }
    const list = []
    for (const [path, content] of Object.entries(files))
      list.push({ path, digest: await keep(content) })
    ;(locked.components as unknown[]).push({ id, source, files: list })
  }
  return { locked, contents }
}

const big = (seed: string): string => `${seed} ${'x'.repeat(200)}`
const numbered = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`f/${i}.txt`, big(`${i}`)]))

describe('packApp', () => {
  test('gives the example of the format byte by byte', async () => {
    const lock = parseLockedApp(fixture('lock.json'))
    const sizes: Record<string, number> = { '9dab5590': 214574, '8bee9598': 704876, f7a5ef6f: 243 }
    const contents = new Map<Digest, Uint8Array | Content>([
      [
        `sha256:e5c4b84484ee4216e9373be99380320c25dd94805f99f0a805846f087636553f`,
        encodeUtf8('User-agent: *\nDisallow:\n'),
      ],
      [await digestOf(new Uint8Array()), new Uint8Array()],
    ])
    for (const ref of [
      ...lock.components.map(({ source }) => source),
      ...lock.components.flatMap(({ files = [] }) => files),
    ]) {
      const size = sizes[ref.digest.slice(7, 15)]
      if (size !== undefined)
        contents.set(ref.digest, {
          size,
          stream: () => {
            throw new Error('is not read')
          },
        })
    }
    const packed = await packApp(
      { locked: lock, contents },
      {
        annotations: { 'org.opencontainers.image.created': '2026-01-02T03:04:05.000000006+00:00' },
      },
    )
    expect(Buffer.from(packed.manifestBytes).toString()).toBe(
      Buffer.from(fixture('manifest.json')).toString(),
    )
    const { config, layers } = manifestOf(packed)
    expect((await blobOf(packed, config)).toString()).toBe(
      Buffer.from(fixture('config.json')).toString(),
    )
    expect((await blobOf(packed, layers.at(-1) as Descriptor)).toString()).toBe(
      Buffer.from(fixture('lock.json')).toString(),
    )
    expect(packed.descriptor).toEqual({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: await digestOf(fixture('manifest.json')),
      size: 1165,
    })
  })

  test('keeps small files inline, without padding, and pushes no layer for them', async () => {
    const packed = await packApp(
      await lockOf({ web: { a: 'A', empty: '', edge: 'e'.repeat(128), over: 'o'.repeat(129) } }),
    )
    expect(packed.locked.components[0]?.files?.map(({ inline }) => inline?.slice(0, 4))).toEqual([
      'QQ',
      '',
      'ZWVl',
      undefined,
    ])
    expect(
      manifestOf(packed).layers.map(({ mediaType, size }) => [mediaType.split('.').at(-1), size]),
    ).toEqual([
      ['v1+wasm', 211],
      ['v1+data', 129],
      ['v1+config', formatLockedApp(packed.locked).length],
    ])
  })

  test('pushes tiny Wasm as a layer too, as Spin finds it nowhere else', async () => {
    const lock = await lockOf({})
    const wasm = encodeUtf8('\0asm')
    const digest = await digestOf(wasm)
    const locked = {
      ...lock.locked,
      components: [{ id: 'a', source: { content_type: 'application/wasm', digest } }],
    }
    const packed = await packApp({ locked, contents: new Map([[digest, wasm]]) })
    expect(packed.locked.components[0]?.source.inline).toBe('AGFzbQ')
    expect(manifestOf(packed).layers).toHaveLength(2)
  })

  test('lists a blob once, and as a file when it is both file and Wasm', async () => {
    const wasm = `wasm of b${'.'.repeat(200)}`
    const packed = await packApp(
      await lockOf({ a: { x: big('same'), y: big('same') }, b: { z: big('same'), self: wasm } }),
    )
    const { layers } = manifestOf(packed)
    expect(layers.map(({ mediaType }) => mediaType.split('.').at(-1))).toEqual([
      'v1+wasm',
      'v1+data',
      'v1+data',
      'v1+config',
    ])
    expect(layers[2]?.digest).toBe(await digestOf(encodeUtf8(wasm)))
  })

  test.each([
    [498, 500],
    [499, 3],
  ])('with %i files has %i layers', async (files, expected) => {
    const packed = await packApp(await lockOf({ a: numbered(files) }))
    expect(manifestOf(packed).layers).toHaveLength(expected)
  })

  test('makes one archive per component that has files, when asked to', async () => {
    const packed = await packApp(
      await lockOf({ a: { ...numbered(2), tiny: 't' }, none: {}, b: numbered(1) }),
      { archive: true },
    )
    const { layers } = manifestOf(packed)
    expect(layers.map(({ mediaType }) => mediaType.split('.').at(-1))).toEqual([
      'v1+wasm',
      'tar+gzip',
      'v1+wasm',
      'v1+wasm',
      'tar+gzip',
      'v1+config',
    ])
    const tar = gunzipSync(await blobOf(packed, layers[1] as Descriptor))
    expect(tar.subarray(0, 7).toString()).toBe('f/0.txt')
    expect(tar.includes('tiny')).toBe(true)
  })

  test('refuses an archive with a file where another needs a folder', async () => {
    await expect(
      packApp(await lockOf({ a: { x: big('1'), 'x/y': big('2') } }), { archive: true }),
    ).rejects.toMatchObject({ code: 'ERR_APP_INVALID' })
  })

  test('infers annotations, lets given ones win, and writes a time only when given', async () => {
    const lock = await lockOf({})
    const locked = {
      ...lock.locked,
      metadata: { name: 'n', version: '1', description: '', authors: ['A', 'B'], triggers: {} },
    }
    const prefix = 'org.opencontainers.image.'
    const packed = await packApp(
      { ...lock, locked },
      { annotations: { [`${prefix}title`]: 'mine', other: 'o' }, created: new Date(0) },
    )
    expect(manifestOf(packed).annotations).toEqual({
      [`${prefix}authors`]: 'A, B',
      [`${prefix}title`]: 'mine',
      [`${prefix}version`]: '1',
      [`${prefix}created`]: '1970-01-01T00:00:00.000Z',
      other: 'o',
    })
    expect(manifestOf(await packApp({ ...lock, locked })).annotations).not.toHaveProperty(
      `${prefix}created`,
    )
  })

  test.each([300, 6_000_000])(
    'rejects when a file of %i bytes changes between hashing and sending',
    async (size) => {
      let text = 'a'.repeat(size)
      const lock = await lockOf({
        web: { 'f.txt': { size, stream: () => new Blob([text]).stream() } },
      })
      const packed = await packApp(lock)
      const layer = manifestOf(packed).layers[1] as Descriptor
      expect(layer.size).toBe(size)
      for (const changed of [`b${text.slice(1)}`, text.slice(1), `${text}a`]) {
        text = changed
        const sent = readBounded(packed.store.content(layer) as Content, 1e9, 'it')
        await expect(sent).rejects.toMatchObject({
          code: 'ERR_DIGEST_MISMATCH',
          message: expect.stringContaining('"f.txt" of component "web" changed'),
        })
      }
    },
  )

  test('rejects content that was not given', async () => {
    const lock = await lockOf({ a: {} })
    await expect(packApp({ ...lock, contents: new Map() })).rejects.toMatchObject({
      code: 'ERR_FILE_MISSING',
    })
  })

  test('refuses a manifest that no registry would take', async () => {
    await expect(
      packApp(await lockOf({}), { annotations: { a: 'x'.repeat(5e6) } }),
    ).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  test('comes back from unpacking, archive or not, with the same digest when packed again', async () => {
    const path = fc
      .array(
        fc
          .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
          .filter((name) => !/[\\/:\p{Cc}\p{Cs}]|^\.+$/u.test(name)),
        { minLength: 1, maxLength: 4 },
      )
      .map((parts) => `d/${parts.join('/')}.f`)
    const files = fc.dictionary(path, fc.string({ maxLength: 400 }), {
      maxKeys: 6,
      noNullPrototype: true,
    })
    await fc.assert(
      fc.asyncProperty(
        fc.record({ a: files, b: files }),
        fc.boolean(),
        async (components, archive) => {
          const lock = await lockOf(components)
          const packed = await packApp(lock, { archive })
          const pulled = await unpackApp(packed.descriptor, packed.store)
          for (const [id, expected] of Object.entries(components)) {
            const tree = [...(await pulled.files(id))].map(([name, content]) => [
              name,
              Buffer.from(content as Uint8Array).toString(),
            ])
            expect(Object.fromEntries(tree)).toEqual(
              Object.fromEntries(
                Object.entries(expected).map(([name, text]) => [
                  name,
                  Buffer.from(text).toString(),
                ]),
              ),
            )
            expect(Buffer.from(await pulled.component(id)).toString()).toContain(`wasm of ${id}`)
          }
          const again = await packApp(
            { locked: pulled.locked, contents: await pulled.contents() },
            { archive },
          )
          expect(again.descriptor).toEqual(packed.descriptor)
        },
      ),
      { numRuns: 60 },
    )
  })
})
