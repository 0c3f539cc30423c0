import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import {
  buildArtifact,
  CONFIG,
  createArtifact,
  DATA,
  type Form,
  LOCK,
  MANIFEST,
  tarOf,
  WASM,
} from '../fixtures/artifact.ts'

async function open(form: Form = {}): ReturnType<typeof unpackApp> {
  const store = createArtifact()
  return unpackApp(await buildArtifact(store, form), store)
}

async function filesOf(form: Form): Promise<Record<string, string>> {
  const app = await open(form)
  return Object.fromEntries(
    [...(await app.files('web'))].map(([path, content]) => [
      path,
      Buffer.from(content as Uint8Array).toString(),
    ]),
  )
}

describe('unpackApp reads', () => {
  test.each(['layer', 'config', 'both'] as const)('the lock as %s', async (lockAt) => {
    const app = await open({ lockAt })
    expect(app.locked.components[0]?.id).toBe('web')
    expect(Buffer.from(await app.component('web')).toString()).toBe('\0asm bytes')
    expect(app.locked).toHaveProperty('future.kept', true)
    expect(app.annotations).toEqual({ note: 'a' })
    expect(app.signatures).toEqual([])
  })

  test('a lock in a config of any type', async () => {
    const store = createArtifact()
    const wasm = await store.add('wasm', WASM)
    const config = await store.add(
      JSON.stringify({
        spin_lock_version: 0,
        triggers: [],
        components: [{ id: 'a', source: { digest: wasm.digest } }],
      }),
      'application/json',
    )
    const root = await store.add(
      JSON.stringify({ schemaVersion: 2, config, layers: [wasm] }),
      MANIFEST,
    )
    expect((await unpackApp(root, store)).locked.components).toHaveLength(1)
  })

  test('a manifest without mediaType, and the same layers repeated', async () => {
    expect(
      await filesOf({ mediaType: undefined, repeat: true, files: [{ path: 'a', text: 'A' }] }),
    ).toEqual({ a: 'A' })
  })

  test('a manifest with control characters as they are, by the digest of its own bytes', async () => {
    const app = await open({
      manifestText: (text) => text.replace('"note":"a"', '"note":"a\nb\u0001"'),
    })
    expect(app.annotations['note']).toBe('a\nb\u0001')
    expect(await digestOf(app.manifestBytes)).toBe(app.descriptor.digest)
  })

  test('paths with backslashes and a leading slash', async () => {
    expect(
      await filesOf({
        files: [
          { path: 'css\\site.css', text: '1' },
          { path: '/js/app.js', text: '2' },
        ],
      }),
    ).toEqual({ 'css/site.css': '1', 'js/app.js': '2' })
  })

  test('the later one of two files at a path', async () => {
    expect(
      await filesOf({
        files: [
          { path: 'a', text: '1' },
          { path: 'a', text: '2' },
        ],
      }),
    ).toEqual({ a: '2' })
  })

  test('inline content with and without a layer, and empty', async () => {
    expect(
      await filesOf({
        files: [
          { path: 'a', text: '1', inline: true },
          { path: 'b', text: '2', inline: true, layer: false },
          { path: 'c', text: '', inline: true, layer: false },
        ],
      }),
    ).toEqual({ a: '1', b: '2', c: '' })
  })

  test('inline Wasm whose layer is missing', async () => {
    const digest = await digestOf(encodeUtf8('tiny'))
    const app = await open({
      lock: {
        components: [
          { id: 'w', source: { content_type: 'application/wasm', digest, inline: 'dGlueQ' } },
        ],
      },
    })
    expect(Buffer.from(await app.component('w')).toString()).toBe('tiny')
  })

  test('Wasm under the type of a file, or under none that is known', async () => {
    for (const wasmType of [DATA, 'application/octet-stream']) {
      expect(Buffer.from(await (await open({ wasmType })).component('web')).toString()).toBe(
        '\0asm bytes',
      )
    }
  })

  test('archives beside layers, by hash and not by name', async () => {
    const archives = [tarOf({ '../../evil': 'one' }), tarOf({ x: 'two', y: 'unused' })]
    const files = ['one', 'two', 'three'].map((text) => ({
      path: `${text}.txt`,
      text,
      layer: text === 'three',
    }))
    expect(await filesOf({ files, archives })).toEqual({
      'one.txt': 'one',
      'two.txt': 'two',
      'three.txt': 'three',
    })
  })

  test('each archive once more only if it has what is missing', async () => {
    const store = createArtifact()
    const archives = [tarOf({ x: 'one' }), tarOf({ x: 'two' })]
    const root = await buildArtifact(store, {
      archives,
      files: [{ path: 'two', text: 'two', layer: false }],
    })
    const app = await unpackApp(root, store)
    await app.files('web')
    const before = store.fetched.length
    await app.files('web')
    expect(store.fetched.length - before).toBe(1)
  })

  test('bare Wasm, as wkg pushes it', async () => {
    const store = createArtifact()
    const wasm = await store.add('wasm', 'application/wasm')
    const config = await store.add('{"created":"x"}', 'application/vnd.wasm.config.v0+json')
    const root = await store.add(
      JSON.stringify({
        schemaVersion: 2,
        config,
        layers: [wasm],
        annotations: { 'org.opencontainers.image.title': 'mine' },
      }),
      MANIFEST,
    )
    const app = await unpackApp(root, store)
    expect(app.locked.metadata).toMatchObject({ name: 'mine', trigger: { type: 'http' } })
    expect(app.locked.triggers[0]?.trigger_config).toMatchObject({ route: '/...' })
    expect(Buffer.from(await app.component(app.locked.components[0]?.id ?? '')).toString()).toBe(
      'wasm',
    )
  })

  test.each([
    ['the only entry', [undefined], 0],
    ['the entry for wasm', ['amd64', 'wasm', 'arm64'], 1],
  ])('an index: %s', async (_, architectures, picked) => {
    const store = createArtifact()
    const manifests = []
    for (const [i, architecture] of architectures.entries()) {
      const app = await buildArtifact(store, { lock: { metadata: { name: `app ${i}` } } })
      manifests.push({
        ...app,
        ...(architecture === undefined ? {} : { platform: { architecture, os: 'linux' } }),
      })
    }
    const root = await store.add(
      JSON.stringify({ schemaVersion: 2, manifests }),
      'application/vnd.oci.image.index.v1+json',
    )
    const app = await unpackApp(root, store)
    expect(app.locked.metadata?.['name']).toBe(`app ${picked}`)
    expect(app.descriptor).toEqual(root)
  })

  test('the example of the format', async () => {
    const store = createArtifact()
    const fixture = (name: string): Uint8Array =>
      readFileSync(new URL(`../fixtures/spin/${name}`, import.meta.url))
    await store.add(fixture('lock.json'), LOCK)
    await store.add(fixture('config.json'), CONFIG)
    for (const name of ['manifest.json', 'manifest.cli.json']) {
      const app = await unpackApp(await store.add(fixture(name), MANIFEST), store)
      expect(app.locked.components.map(({ id }) => id)).toEqual(['api', 'web'])
    }
  })
})

describe('unpackApp fetches', () => {
  test('shared content once, eight at a time', async () => {
    const store = createArtifact()
    const files = Array.from({ length: 60 }, (_, i) => ({ path: `${i}`, text: `text ${i % 30}` }))
    const app = await unpackApp(await buildArtifact(store, { files }), store)
    const before = store.fetched.length
    expect((await app.files('web')).size).toBe(60)
    expect(store.fetched.length - before).toBe(30)
    expect(store.most).toBe(8)
  })

  test('nothing but manifest and lock before it is asked to', async () => {
    const store = createArtifact()
    await unpackApp(await buildArtifact(store, { files: [{ path: 'a', text: 'A' }] }), store)
    expect(store.fetched).toHaveLength(2)
  })
})

describe('unpackApp rejects', () => {
  test('an index in which nothing stands out, listing what is there', async () => {
    const store = createArtifact()
    const manifests = [
      { ...(await buildArtifact(store)), platform: { architecture: 'amd64', os: 'linux' } },
      await buildArtifact(store, { mediaType: undefined }),
    ]
    const root = await store.add(
      JSON.stringify({ schemaVersion: 2, manifests }),
      'application/vnd.oci.image.index.v1+json',
    )
    await expect(unpackApp(root, store)).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
      message: expect.stringContaining('linux/amd64'),
    })
  })

  test('two locks', async () => {
    const store = createArtifact()
    const other = await store.add('{}', LOCK)
    await expect(
      unpackApp(await buildArtifact(store, { extraLayers: [other] }), store),
    ).rejects.toThrow('2 locked applications')
  })

  test('what is no Spin application', async () => {
    const store = createArtifact()
    const config = await store.add('{}', CONFIG)
    const layer = await store.add('tar', 'application/vnd.oci.image.layer.v1.tar+gzip')
    const root = await store.add(
      JSON.stringify({ schemaVersion: 2, config, layers: [layer] }),
      MANIFEST,
    )
    await expect(unpackApp(root, store)).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
      message: expect.stringContaining('no Spin application'),
    })
  })

  test.each([
    ['another version', { spin_lock_version: 2 }, 'ERR_UNSUPPORTED'],
    ['something to understand', { must_understand: ['time_travel'] }, 'ERR_UNSUPPORTED'],
    ['no components', { components: undefined }, 'ERR_CONTENT_INVALID'],
    ['no triggers', { triggers: {} }, 'ERR_CONTENT_INVALID'],
    [
      'a component without a digest',
      { components: [{ id: 'a', source: { content_type: 'x' } }] },
      'ERR_CONTENT_INVALID',
    ],
  ])('a lock with %s', async (_, lock, code) => {
    await expect(open({ lock })).rejects.toMatchObject({ code })
  })

  test('inline content that is not what its digest says, or no base64', async () => {
    for (const [inline, code] of [
      ['QUE', 'ERR_DIGEST_MISMATCH'],
      ['Q=Q', 'ERR_CONTENT_INVALID'],
    ]) {
      await expect(
        filesOf({ files: [{ path: 'a', text: 'A', inline: inline as string, layer: false }] }),
      ).rejects.toMatchObject({ code })
    }
  })

  test('content that is nowhere', async () => {
    await expect(
      filesOf({
        files: [{ path: 'a', text: 'A', layer: false }],
        archives: [tarOf({ a: 'B' }), tarOf({ a: 'A' }, '2')],
      }),
    ).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })

  test('more bytes than allowed, before they are fetched', async () => {
    const store = createArtifact()
    const root = await buildArtifact(store, { files: [{ path: 'a', text: 'A'.repeat(1000) }] })
    const app = await unpackApp(root, store, { maxBytes: 999 })
    const before = store.fetched.length
    await expect(app.files('web')).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
    expect(store.fetched).toHaveLength(before)
  })

  test('a component that is not there, naming those that are', async () => {
    await expect((await open()).component('nope')).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining('"web"'),
    })
  })

  test('an abort with its reason', async () => {
    const app = await open({ files: [{ path: 'a', text: 'A' }] })
    const reason = new Error('stop')
    await expect(app.files('web', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
