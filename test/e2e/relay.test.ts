import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRelayFetch } from '../../src/http/relay-fetch.ts'
import { listen } from '../../src/node/listen/listen.ts'
import type { Listener } from '../../src/node/listen/listen.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import type { FetchHandler } from '../../src/types.ts'
import { CHROMIUM_FLAGS, findChromium } from '../lanes/chromium.mjs'
import { blobOf, pushArtifact } from '../registry/artifacts.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { missingRegistry, startRegistry } from './docker-registry-process.ts'
import type { RegistryProcess } from './docker-registry-process.ts'

const htpasswd = ((): string | undefined => {
  try {
    return execFileSync('htpasswd', ['-Bbn', 'user', 'secret'], { encoding: 'utf8' })
  } catch {
    return undefined
  }
})()
const missing = missingRegistry ?? (htpasswd === undefined ? 'htpasswd is missing' : undefined)
const browser = findChromium()
if (missing !== undefined) console.log(`left out: a relay before docker-registry, ${missing}`)
if (browser === undefined) console.log('left out: a relay in Chromium, no Chromium found')

/** What a page does: put in a bundle, run in Chromium. */
const PAGE_CODE = `
import { createRelayFetch, loadApp, push, pull } from './src/index.ts'
globalThis.proof = async (relay, registry) => {
  const fetch = createRelayFetch(relay)
  const options = { fetch, insecure: [registry], credentials: { username: 'user', password: 'secret' }, retry: false }
  const app = await loadApp({
    'spin.toml': 'spin_manifest_version = 2\\n[application]\\nname = "hello"\\n[[trigger.http]]\\nroute = "/..."\\ncomponent = "web"\\n[component.web]\\nsource = "web.wasm"\\n',
    'web.wasm': Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
  })
  const { reference } = await push(app, registry + '/team/page:1', options)
  const pulled = await pull(reference, options)
  return [...(await pulled.component('web'))]
}`

describe.skipIf(missing !== undefined)('a relay before docker-registry with a password', () => {
  let registry: RegistryProcess
  let page: Listener
  let relay: Listener
  beforeAll(async () => {
    registry = await startRegistry({ htpasswd: htpasswd! })
    page = await listen(pageHandler())
    relay = await listen(
      createRelayHandler({
        registries: [registry.host],
        insecure: [registry.host],
        origins: [page.url],
        writable: ({ repository }) => repository.startsWith('team/'),
      }),
    )
  })
  afterAll(async () => {
    await Promise.all([registry?.stop(), page?.close(), relay?.close()])
  })

  it('carries an artifact both ways over sockets, large blobs and ranges too', async () => {
    const open = (name: string) =>
      createRepository(`${registry.host}/${name}`, {
        fetch: createRelayFetch(`${relay.url}/relay`),
        credentials: { username: 'user', password: 'secret' },
      })
    const repository = open('team/node')
    const { manifest } = await pushArtifact(repository, 'hello', 'v1')
    expect(await repository.resolve('v1')).toEqual(manifest.descriptor)
    const large = await blobOf(new Uint8Array(20_000_000).map((_, index) => index >> 8))
    await repository.push(large.descriptor, new Blob([large.bytes as Uint8Array<ArrayBuffer>]))
    await readVerified(await repository.fetch(large.descriptor), large.descriptor)
    const chunked = await blobOf(new Uint8Array(1_000_000).fill(3))
    const inChunks = createRepository(`${registry.host}/team/chunks`, {
      fetch: createRelayFetch(`${relay.url}/relay`),
      credentials: { username: 'user', password: 'secret' },
      chunkSize: 300_000,
    })
    await inChunks.push(chunked.descriptor, chunked.bytes)
    await readVerified(await inChunks.fetch(chunked.descriptor), chunked.descriptor)
    await expect(open('theirs/node').push(large.descriptor, large.bytes)).rejects.toMatchObject({
      status: 403,
    })
  })

  it.skipIf(browser === undefined)('serves a page of another origin in Chromium', async () => {
    const chrome = await chromium.launch({ executablePath: browser!, args: [...CHROMIUM_FLAGS] })
    try {
      const tab = await chrome.newPage()
      await tab.goto(page.url)
      const proof = (base: string) =>
        tab.evaluate(
          ([at, host]) =>
            (globalThis as unknown as { proof(a: string, b: string): Promise<number[]> }).proof(
              at!,
              host!,
            ),
          [base, registry.host],
        )
      expect(await proof(`${relay.url}/relay`)).toEqual([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
      // The same page under a name that the operator did not give is another page.
      await tab.goto(page.url.replace('127.0.0.1', 'localhost'))
      await expect(proof(`${relay.url}/relay`)).rejects.toThrow(/got no answer|ERR_NETWORK/)
    } finally {
      await chrome.close()
    }
  })
})

function pageHandler(): FetchHandler {
  const script = build({
    stdin: {
      contents: PAGE_CODE,
      resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
    },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
  }).then(({ outputFiles }) => outputFiles[0]!.text)
  return {
    fetch: async (request) =>
      new URL(request.url).pathname === '/page.js'
        ? new Response(await script, { headers: { 'content-type': 'text/javascript' } })
        : new Response('<!doctype html><script type="module" src="/page.js"></script>', {
            headers: { 'content-type': 'text/html' },
          }),
  }
}
