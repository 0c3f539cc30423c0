import { build } from 'esbuild'
import { chromium, type Browser } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listen, type Listener } from '../../src/node/listen/listen.ts'
import { blocksOf, readDocument } from '../docs/blocks.ts'
import { CHROMIUM_FLAGS, findChromium } from '../lanes/chromium.mjs'
import { missingRegistry, type RegistryProcess, startRegistry } from './docker-registry-process.ts'

const executablePath = findChromium()
const missing = missingRegistry ?? (executablePath === undefined ? 'no Chromium' : undefined)
if (missing !== undefined) console.log(`left out: docker-registry from a page, ${missing}`)

/** What a page does: it pushes an application, and reads a file of it back. */
const SCRIPT = `
import { loadApp } from './src/spin/source/load-app.ts'
import { pull } from './src/verbs/pull.ts'
import { push } from './src/verbs/push.ts'

globalThis.pushAndPull = async (host) => {
  const app = await loadApp({
    'spin.toml': [
      'spin_manifest_version = 2',
      'application = { name = "hello" }',
      'trigger.http = [{ route = "/...", component = "web" }]',
      'component.web = { source = "web.wasm", files = ["long.txt"] }',
    ].join('\\n'),
    'web.wasm': Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
    'long.txt': 'x'.repeat(10_000),
  })
  const options = { retry: false, chunkSize: 4000 }
  try {
    const { reference } = await push(app, host + '/team/hello:1', options)
    const files = await (await pull(reference, options)).files('web')
    return files.get('long.txt').length
  } catch (error) {
    return error.code
  }
}
`

/** The README's settings for docker-registry, for pages of this origin. */
function settingsFor(origin: string): string {
  const found = blocksOf(readDocument('README.md')).filter(({ language }) => language === 'yaml')
  expect(found).toHaveLength(1)
  expect(found[0]!.text).toContain('https://app.example')
  return found[0]!.text.replace('https://app.example', origin)
}

describe.skipIf(missing !== undefined)('docker-registry from a page', () => {
  let browser: Browser
  let site: Listener
  const registries: RegistryProcess[] = []

  beforeAll(async () => {
    const { outputFiles } = await build({
      stdin: { contents: SCRIPT, resolveDir: process.cwd(), loader: 'ts' },
      bundle: true,
      write: false,
      format: 'esm',
    })
    const script = outputFiles[0]!.text
    const html =
      '<!doctype html><title>A page</title><script type="module" src="/page.js"></script>'
    site = await listen({
      fetch: async (request) =>
        request.url.endsWith('/page.js')
          ? new Response(script, { headers: { 'content-type': 'text/javascript' } })
          : new Response(html, { headers: { 'content-type': 'text/html' } }),
    })
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: CHROMIUM_FLAGS,
    })
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await site?.close()
    for (const registry of registries) await registry.stop()
  })

  async function pushAndPull(http?: string): Promise<unknown> {
    const registry = await startRegistry(http === undefined ? {} : { http })
    registries.push(registry)
    const page = await browser.newPage()
    await page.goto(site.url)
    await page.waitForFunction('globalThis.pushAndPull !== undefined')
    return page.evaluate(`globalThis.pushAndPull(${JSON.stringify(registry.host)})`)
  }

  it("takes pushes and gives pulls with the README's headers, in chunks too", async () => {
    expect(await pushAndPull(settingsFor(site.url))).toBe(10_000)
  }, 60_000)

  it('is ERR_NETWORK without them', async () => {
    expect(await pushAndPull()).toBe('ERR_NETWORK')
  }, 60_000)
})
