import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { parseHex } from '../../src/bytes/hex.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { parseManifest } from '../../src/oci/manifest.ts'
import { pull } from '../../src/verbs/pull.ts'
import { push } from '../../src/verbs/push.ts'
import { compact, namedBlocks, readDocument } from './blocks.ts'

const page = readDocument('docs/how-an-application-becomes-an-artifact.md')
const block = namedBlocks(page)
const fixture = (name: string) =>
  readFileSync(new URL(`../fixtures/spin/${name}`, import.meta.url), 'utf8')

const files = {
  'spin.toml': block('spin.toml'),
  'web.wasm': parseHex(block('web.wasm').replace(/\s/g, '')) as Uint8Array<ArrayBuffer>,
  'assets/robots.txt': block('assets/robots.txt'),
  'assets/style.css': block('assets/style.css'),
}

describe('how an application becomes an artifact', () => {
  it('is as the page shows it: lock, config and manifest, byte for byte', async () => {
    const store = createMemoryStore()
    const { descriptor } = await push(await loadApp(files), { store, ref: '1.0.0' })
    const read = async (target: Parameters<typeof store.fetch>[0]) =>
      new Response(await store.fetch(target)).text()
    const manifest = await read(descriptor)
    expect(manifest).toBe(compact(block('manifest')))
    expect(descriptor.digest).toBe(block('digest').trim())
    const parsed = parseManifest(encodeUtf8(manifest), 'the manifest')
    if (parsed.kind !== 'manifest') throw new Error('it is an index')
    expect(await read(parsed.config)).toBe(compact(block('config')))
    expect(await read(parsed.layers.at(-1)!)).toBe(compact(block('lock')))
    const app = await pull({ store, ref: '1.0.0' })
    expect(await app.component('web')).toEqual(files['web.wasm'])
    expect([...(await app.files('web')).keys()].toSorted()).toEqual(['robots.txt', 'style.css'])
  })

  it('names the digest and size of each block', async () => {
    for (const name of ['lock', 'config', 'manifest']) {
      const bytes = encodeUtf8(compact(block(name)))
      expect(page).toContain(await digestOf(bytes))
      expect(page).toContain(`${bytes.length} bytes`)
    }
  })

  it('quotes what Spin writes as it is', async () => {
    expect(compact(block('spin-config'))).toBe(fixture('config.json'))
    expect(compact(block('spin-manifest'))).toBe(fixture('manifest.cli.json'))
    for (const name of ['manifest.cli.json', 'manifest.json'])
      expect(page).toContain(await digestOf(encodeUtf8(fixture(name))))
  })
})
