import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { readBounded } from '../../src/bytes/stream.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { openLayoutDirectory } from '../../src/node/files/layout-directory.ts'
import { packApp, type PackedApp } from '../../src/spin/artifact/pack.ts'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import { copyGraph } from '../../src/store/copy-graph.ts'
import { readLayoutTar } from '../../src/store/layout-tar.ts'
import type { Content, Digest } from '../../src/types.ts'

const hasSkopeo = spawnSync('skopeo', ['--version']).status === 0
if (!hasSkopeo) console.warn('left out: layouts beside skopeo, as skopeo is not on PATH')

const root = mkdtempSync(join(tmpdir(), 'spindle-skopeo-'))
afterAll(() => rmSync(root, { recursive: true }))

function skopeo(...args: string[]): string {
  return execFileSync('skopeo', ['--insecure-policy', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  }).toString()
}

async function packExample(archive: boolean): Promise<PackedApp> {
  const texts = { 'index.html': `<p>${'hello '.repeat(50)}</p>`, 'tiny.txt': 'tiny' }
  const contents = new Map<Digest, Uint8Array | Content>()
  const keep = async (text: string): Promise<Digest> => {
    const digest = await digestOf(encodeUtf8(text))
    contents.set(digest, encodeUtf8(text))
    return digest
  }
  const files = []
  for (const [path, text] of Object.entries(texts)) files.push({ path, digest: await keep(text) })
  const wasm = await keep(`\0asm${'.'.repeat(200)}`)
  const source = { content_type: 'application/wasm', digest: wasm }
  const locked = {
    spin_lock_version: 0 as const,
    metadata: { name: 'example', version: '1.0.0', triggers: {} },
    triggers: [],
    components: [{ id: 'web', source, files }],
  }
  return packApp({ locked, contents }, { archive })
}

describe.skipIf(!hasSkopeo).each([false, true])('skopeo, archive %s', (archive) => {
  let packed: PackedApp
  beforeAll(async () => {
    packed = await packExample(archive)
  })

  test('inspects and copies a folder that we wrote, and we read its copy', async () => {
    const folder = join(root, `ours-${archive}`)
    await copyGraph(packed.store, openLayoutDirectory(folder), packed.descriptor, { tag: '1.0' })
    const manifest = Buffer.from(packed.manifestBytes).toString()
    expect(skopeo('inspect', '--raw', `oci:${folder}:1.0`).trim()).toBe(manifest)
    // Without a name too, as there is but one.
    expect(skopeo('inspect', '--raw', `oci:${folder}`).trim()).toBe(manifest)

    const theirs = join(root, `theirs-${archive}`)
    skopeo('copy', `oci:${folder}:1.0`, `oci:${theirs}:copied`)
    const store = openLayoutDirectory(theirs)
    const app = await unpackApp(await store.resolve('copied'), store)
    expect(app.descriptor.digest).toBe(packed.descriptor.digest)
    expect([...(await app.files('web')).keys()]).toEqual(['index.html', 'tiny.txt'])
  })

  test('reads a tar that we wrote, and we read its tar', async () => {
    const layout = await readLayoutTar()
    await copyGraph(packed.store, layout, packed.descriptor, { tag: '1.0' })
    const tar = join(root, `ours-${archive}.tar`)
    writeFileSync(tar, await readBounded(layout.archive(), 1e8, 'the tar'))
    const theirs = join(root, `theirs-${archive}.tar`)
    skopeo('copy', `oci-archive:${tar}:1.0`, `oci-archive:${theirs}:copied`)

    const store = await readLayoutTar(readFileSync(theirs))
    const app = await unpackApp(await store.resolve('copied'), store)
    expect(app.descriptor.digest).toBe(packed.descriptor.digest)
    const tiny = (await app.files('web')).get('tiny.txt') as Uint8Array
    expect(Buffer.from(tiny).toString()).toBe('tiny')
  })
})
