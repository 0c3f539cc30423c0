import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { formatCanonicalJson } from '../../src/bytes/json.ts'
import { readBounded } from '../../src/bytes/stream.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { openLayoutDirectory } from '../../src/node/files/layout-directory.ts'
import { readLayoutTar } from '../../src/store/layout-tar.ts'
import type { Descriptor, ReferrerStore, Store } from '../../src/types.ts'

const root = mkdtempSync(join(tmpdir(), 'spindle-layout-'))
afterAll(() => rmSync(root, { recursive: true }))
let count = 0
const fresh = (): string => join(root, `${count++}`)

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const INDEX = 'application/vnd.oci.image.index.v1+json'

async function describeBytes(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
  return { mediaType, digest: await digestOf(bytes), size: bytes.length }
}

async function pushManifest(
  store: Store,
  text: string,
  options: { tag?: string; subject?: Descriptor } = {},
): Promise<Descriptor> {
  const blob = encodeUtf8(text)
  const layer = await describeBytes(blob, 'text/plain')
  await store.push(layer, blob)
  const bytes = formatCanonicalJson({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: layer,
    layers: [layer],
    subject: options.subject,
    artifactType: options.subject && 'text/signature',
  })
  const descriptor = await describeBytes(bytes, MANIFEST)
  await store.push(descriptor, bytes, options.tag === undefined ? {} : { tag: options.tag })
  return descriptor
}

async function referrersOf(
  store: ReferrerStore,
  subject: Descriptor,
  artifactType?: string,
): Promise<Descriptor[]> {
  const found = []
  for await (const referrer of store.referrers(
    subject,
    artifactType === undefined ? {} : { artifactType },
  ))
    found.push(referrer)
  return found
}

const forms = {
  folder: () => {
    const path = fresh()
    return { open: async () => openLayoutDirectory(path) }
  },
  tar: () => {
    let store: Awaited<ReturnType<typeof readLayoutTar>> | undefined
    // Opened again from its own tar, as bytes and as a Blob in turn.
    return {
      open: async () => {
        const tar = store === undefined ? undefined : await readBounded(store.archive(), 1e8, 'tar')
        store = await readLayoutTar(
          tar === undefined ? undefined : count++ % 2 === 0 ? tar : new Blob([tar]),
        )
        return store
      },
    }
  },
}

describe.each(Object.entries(forms))('a layout in a %s', (_, form) => {
  test('gives back what was pushed, also when opened again', async () => {
    const { open } = form()
    const pushed = await pushManifest(await open(), 'hello', { tag: '1.0' })
    const store = await open()
    expect(await store.resolve('1.0')).toEqual(pushed)
    expect(await store.resolve(pushed.digest)).toEqual(pushed)
    const manifest = JSON.parse(
      Buffer.from(await readVerified(await store.fetch(pushed), pushed)).toString(),
    ) as { layers: [Descriptor] }
    expect(
      Buffer.from(
        await readVerified(await store.fetch(manifest.layers[0]), manifest.layers[0]),
      ).toString(),
    ).toBe('hello')
    expect(await store.has(manifest.layers[0])).toBe(true)
  })

  test('moves a tag, and forgets what only that named', async () => {
    const { open } = form()
    const store = await open()
    const first = await pushManifest(store, '1', { tag: 'latest' })
    const second = await pushManifest(store, '2', { tag: 'latest' })
    expect(await store.resolve('latest')).toEqual(second)
    await expect(store.resolve(first.digest)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    await store.tag(first, 'old')
    expect(await store.resolve('old')).toEqual(first)
  })

  test('gives one manifest several names', async () => {
    const { open } = form()
    const store = await open()
    const pushed = await pushManifest(store, '1', { tag: 'a' })
    await store.tag(pushed, 'b')
    expect([await store.resolve('a'), await store.resolve('b')]).toEqual([pushed, pushed])
  })

  test('lists referrers, by type too', async () => {
    const { open } = form()
    const store = await open()
    const subject = await pushManifest(store, 'app', { tag: '1' })
    const signature = await pushManifest(store, 'signature', { subject })
    const again = await open()
    expect(
      (await referrersOf(again, subject)).map(({ digest, artifactType }) => [digest, artifactType]),
    ).toEqual([[signature.digest, 'text/signature']])
    expect(await referrersOf(again, subject, 'other')).toEqual([])
  })

  test('finds a manifest that only an index lists', async () => {
    const { open } = form()
    const store = await open()
    const part = await pushManifest(store, 'part')
    const bytes = formatCanonicalJson({ schemaVersion: 2, mediaType: INDEX, manifests: [part] })
    await store.push(await describeBytes(bytes, INDEX), bytes, { tag: 'all' })
    expect(await (await open()).resolve(part.digest)).toEqual(part)
  })

  test('keeps all names of pushes made at once', async () => {
    const { open } = form()
    const store = await open()
    await Promise.all(
      Array.from({ length: 20 }, (__, i) => pushManifest(store, `${i}`, { tag: `t${i}` })),
    )
    const again = await open()
    for (let i = 0; i < 20; i++) await again.resolve(`t${i}`)
  })

  test('keeps nothing of a body that does not fit its descriptor', async () => {
    const { open } = form()
    const store = await open()
    for (const size of [5, 5_000_000]) {
      const target = { ...(await describeBytes(encodeUtf8('a'.repeat(size)), 'text/plain')) }
      await expect(store.push(target, new Blob(['b'.repeat(size)]))).rejects.toMatchObject({
        code: 'ERR_DIGEST_MISMATCH',
      })
      expect(await store.has(target)).toBe(false)
    }
  })

  test('has nothing at first', async () => {
    const store = await form().open()
    await expect(store.resolve('x')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    await expect(
      store.fetch(await describeBytes(encodeUtf8('x'), 'text/plain')),
    ).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  })
})

describe('a layout in a folder', () => {
  test('leaves no half file when a push breaks off', async () => {
    const path = fresh()
    const store = openLayoutDirectory(path)
    await pushManifest(store, 'first', { tag: '1' })
    const before = readdirSync(join(path, 'blobs/sha256'))
    const target = await describeBytes(encodeUtf8('a'.repeat(6e6)), 'text/plain')
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 3) controller.enqueue(encodeUtf8('a'.repeat(1e6)))
        else controller.error(new Error('cut'))
      },
    })
    await expect(store.push(target, body)).rejects.toThrow('cut')
    expect(readdirSync(join(path, 'blobs/sha256'))).toEqual(before)
  })

  test('notices damaged content', async () => {
    const path = fresh()
    const pushed = await pushManifest(openLayoutDirectory(path), 'x', { tag: '1' })
    const file = join(path, 'blobs/sha256', pushed.digest.slice(7))
    writeFileSync(file, readFileSync(file).fill(32, 0, 1))
    await expect(
      readBounded(await openLayoutDirectory(path).fetch(pushed), 1e6, 'it'),
    ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  })

  test.each([
    [
      'another version',
      { 'oci-layout': '{"imageLayoutVersion":"2.0.0"}', 'index.json': '{}' },
      'ERR_UNSUPPORTED',
    ],
    ['no oci-layout', { 'index.json': '{}' }, 'ERR_CONTENT_INVALID'],
    [
      'no manifests',
      { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}', 'index.json': '{}' },
      'ERR_CONTENT_INVALID',
    ],
    [
      'a bad descriptor',
      {
        'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
        'index.json': '{"manifests":[{"mediaType":"a/b","digest":"sha256:../../x","size":1}]}',
      },
      'ERR_CONTENT_INVALID',
    ],
  ])('is refused with %s', async (__, files, code) => {
    const path = mkdtempSync(join(root, 'bad-'))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
    await expect(openLayoutDirectory(path).resolve('1')).rejects.toMatchObject({ code })
    expect(existsSync(join(path, 'blobs'))).toBe(false)
  })
})

describe('a layout in a tar', () => {
  test('has the same bytes for the same contents, in whatever order they came', async () => {
    const bytes = []
    for (const order of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      const store = await readLayoutTar()
      for (const text of order) await pushManifest(store, text)
      const tagged = await pushManifest(store, 'a')
      await store.tag(tagged, 'a')
      await store.tag(await pushManifest(store, 'b'), 'b')
      bytes.push(await digestOf(await readBounded(store.archive(), 1e8, 'tar')))
    }
    expect(bytes[0]).toBe(bytes[1])
  })

  test('is refused when the tar is something else', async () => {
    await expect(readLayoutTar(new Uint8Array(1024))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
    await expect(readLayoutTar(encodeUtf8('nonsense'.repeat(100)))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })
})
