import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium, type Browser, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHROMIUM_FLAGS, findChromium } from '../lanes/chromium.mjs'
import { bytesOfFile } from './fixtures.ts'

// As strict as a page can be and still run WebAssembly at all.
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"

const folder = fileURLToPath(new URL('.', import.meta.url))
const HANDLER = `
  import { createAppHandler } from '../../src/run/index.ts'
  import { helloAround } from './hello-app.ts'
  const start = async (name = 'hello') => {
    const bytes = new Uint8Array(await (await fetch('/' + name + '.wasm')).arrayBuffer())
    const get = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      return { tag: 'ok', val: 'Later' }
    }
    return createAppHandler({ ...helloAround(''), component: async () => bytes }, {
      interfaces: { 'fermyon:spin/variables': { functions: { get }, waits: new Set(['get']) } },
    })
  }`
const SCRIPTS: Readonly<Record<string, string>> = {
  '/page.js': `${HANDLER}
    globalThis.ask = async (path, name) => (await (await start(name)).fetch(new Request(location.origin + path))).text()
    globalThis.askWorker = (path, name) => new Promise((resolve) => {
      const worker = new Worker('/worker.js', { type: 'module' })
      worker.onmessage = (event) => resolve(event.data)
      worker.postMessage([path, name])
    })
    globalThis.askServiceWorker = async (path, name = 'hello') => {
      await navigator.serviceWorker.register('/sw.js', { type: 'module' })
      await navigator.serviceWorker.ready
      if (navigator.serviceWorker.controller === null) {
        await new Promise((resolve) => navigator.serviceWorker.addEventListener('controllerchange', resolve))
      }
      return (await fetch('/play/' + name + path)).text()
    }
    // Here and not from outside: what a driver evaluates is above the policy.
    globalThis.evaluates = (() => { try { return new Function('return true')() } catch { return false } })()`,
  '/worker.js': `${HANDLER}
    onmessage = async ({ data: [path, name] }) => postMessage(await (await (await start(name)).fetch(new Request(location.origin + path))).text())`,
  '/sw.js': `${HANDLER}
    addEventListener('install', () => skipWaiting())
    addEventListener('activate', (event) => event.waitUntil(clients.claim()))
    const handlers = {}
    addEventListener('fetch', (event) => {
      const url = new URL(event.request.url)
      const [, name, path] = /^\\/play\\/([^/]+)(\\/.*)$/.exec(url.pathname) ?? []
      if (name === undefined) return
      handlers[name] ??= start(name)
      event.respondWith(handlers[name].then((app) => app.fetch(new Request(url.origin + path))))
    })`,
}

const executablePath = findChromium()

describe.skipIf(executablePath === undefined)('in a page whose policy forbids eval', () => {
  let server: Server
  let browser: Browser
  let page: Page
  const errors: string[] = []
  beforeAll(async () => {
    const scripts = new Map<string, string>()
    for (const [path, contents] of Object.entries(SCRIPTS)) {
      const { outputFiles } = await build({
        stdin: { contents, resolveDir: folder, loader: 'ts' },
        bundle: true,
        format: 'esm',
        target: 'es2022',
        write: false,
      })
      scripts.set(path, outputFiles[0]?.text ?? '')
    }
    const guests = new Map([
      ['/hello.wasm', bytesOfFile('examples/hello/hello.wasm')],
      ['/async.wasm', bytesOfFile('test/guests/async.wasm')],
      ['/stackful.wasm', bytesOfFile('test/guests/stackful.wasm')],
    ])
    server = createServer((request, response) => {
      const path = request.url ?? '/'
      response.setHeader('content-security-policy', POLICY)
      if (path === '/')
        response
          .setHeader('content-type', 'text/html')
          .end('<!doctype html><script type="module" src="/page.js"></script>')
      else if (scripts.has(path))
        response.setHeader('content-type', 'text/javascript').end(scripts.get(path))
      else if (guests.has(path))
        response.setHeader('content-type', 'application/wasm').end(guests.get(path))
      else response.writeHead(404).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: CHROMIUM_FLAGS,
    })
    page = await browser.newPage()
    page.on('pageerror', (error) => errors.push(error.message))
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await page.waitForFunction('globalThis.ask !== undefined')
  })
  afterAll(async () => {
    await browser?.close()
    await new Promise((resolve) => server.close(resolve))
  })

  it('the policy is in force', async () => {
    expect(await page.evaluate('evaluates')).toBe(false)
  })

  it.each(['ask', 'askWorker', 'askServiceWorker'])(
    'an application answers and waits (%s)',
    async (name) => {
      expect(await page.evaluate(`${name}('/')`)).toBe('<p>static</p>')
      expect(await page.evaluate(`${name}('/hello/you')`)).toContain('Later, you!')
      expect(errors).toEqual([])
    },
  )

  it.each(['ask', 'askWorker', 'askServiceWorker'])(
    'an application of WASI 0.3 answers and waits (%s)',
    async (name) => {
      for (const guest of ['async', 'stackful']) {
        expect(await page.evaluate(`${name}('/hello', '${guest}')`)).toBe('Hello from 0.3!')
        expect(await page.evaluate(`${name}('/slow', '${guest}')`)).toBe('tick\ntick\ntick\n')
      }
      expect(errors).toEqual([])
    },
  )
})
