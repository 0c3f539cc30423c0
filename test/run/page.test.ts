import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium, type Browser, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHROMIUM_FLAGS, findChromium } from '../lanes/chromium.mjs'
import { executorCases } from './executor-cases.ts'
import { bytesOfFile } from './fixtures.ts'
import { itHasJavascript, javascriptGuest } from './javascript-guest.ts'

// As strict as a page can be and still run WebAssembly at all.
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"

const folder = fileURLToPath(new URL('.', import.meta.url))
const SQLITE = 'node_modules/@sqlite.org/sqlite-wasm/sqlite-wasm/jswasm/sqlite3.wasm'
const HANDLER = `
  import initSqlite from '@sqlite.org/sqlite-wasm'
  import { createAppHandler, createSqliteWasm } from '../../src/run/index.ts'
  import { executorApp } from './executor-cases.ts'
  import { helloAround } from './hello-app.ts'
  const load = async (name) => new Uint8Array(await (await fetch('/' + name + '.wasm')).arrayBuffer())
  const start = async (name = 'hello') => {
    const bytes = await load(name)
    if (name !== 'hello' && name !== 'javascript') {
      const connect = createSqliteWasm(await initSqlite({ wasmBinary: await load('sqlite3') }))
      return createAppHandler(executorApp(name, bytes), {
        fetch: async ({ url }) => new Response('got ' + url),
        sqlite: connect,
      })
    }
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
    import { answerPort, createWorkerHandler } from '../../src/run/web-worker/index.ts'
    import { pulledApp } from './pulled-app.ts'
    globalThis.ask = async (path, name) => (await (await start(name)).fetch(new Request(location.origin + path))).text()
    globalThis.askWorker = (path, name) => new Promise((resolve) => {
      const worker = new Worker('/worker.js', { type: 'module' })
      worker.onmessage = (event) => resolve(event.data)
      worker.postMessage([path, name])
    })
    const spinning = (async () => {
      const wasm = new Uint8Array(await (await fetch('/proxy.wasm')).arrayBuffer())
      return pulledApp({ guest: { wasm } }, [{ route: '/...', component: 'guest' }])
    })()
    globalThis.lines = []
    let started
    const supervised = () => started ??= spinning.then((app) => createWorkerHandler(app, {
      worker: () => new Worker('/app-worker.js', { type: 'module' }),
      timeout: 2000,
      onLog: ({ text }) => lines.push(text),
    }))
    globalThis.askSupervised = async (path, init) => {
      const response = await (await supervised()).fetch(new Request(location.origin + path, init))
      return response.status + ' ' + await response.text()
    }
    globalThis.askPatient = async (path) => {
      const handler = await createWorkerHandler(await spinning, {
        worker: () => new Worker('/app-worker.js', { type: 'module' }),
        busyTimeout: 700,
        onLog: ({ text }) => lines.push(text),
      })
      const response = await handler.fetch(new Request(location.origin + path))
      const answer = response.status + ' ' + await response.text()
      await handler.close()
      return answer
    }
    globalThis.leaveSupervised = async (path) => {
      const abort = new AbortController()
      const request = new Request(location.origin + path, { signal: abort.signal })
      const left = (await supervised()).fetch(request)
      abort.abort('gone')
      return left.catch((reason) => reason)
    }
    globalThis.askThroughPort = async (path) => {
      await askServiceWorker('/')
      const { port1, port2 } = new MessageChannel()
      answerPort(port1, await supervised())
      navigator.serviceWorker.controller.postMessage({ port: port2 }, [port2])
      const response = await fetch('/ported' + path, { method: 'POST', body: 'y'.repeat(100_000) })
      return response.status + ' ' + await response.text()
    }
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
  '/app-worker.js': `
    import { runInWorker } from '../../src/run/web-worker/index.ts'
    runInWorker(self)`,
  '/sw.js': `${HANDLER}
    import { createPortHandler } from '../../src/run/web-worker/index.ts'
    addEventListener('install', () => skipWaiting())
    addEventListener('activate', (event) => event.waitUntil(clients.claim()))
    const handlers = {}
    // A request may come in before the message that brings the port.
    let arrived
    const ported = new Promise((resolve) => { arrived = resolve })
    addEventListener('message', ({ data }) => arrived(createPortHandler(data.port)))
    addEventListener('fetch', (event) => {
      const url = new URL(event.request.url)
      if (url.pathname.startsWith('/ported/')) {
        const { method, headers } = event.request
        return event.respondWith(event.request.arrayBuffer().then(async (body) =>
          (await ported).fetch(new Request(url.origin + url.pathname.slice(7), { method, headers, body }))))
      }
      const [, name, path] = /^\\/play\\/([^/]+)(\\/.*)$/.exec(url.pathname) ?? []
      if (name === undefined) return
      handlers[name] ??= start(name)
      event.respondWith(handlers[name].then((app) => app.fetch(new Request(url.origin + path + url.search))))
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
      ['/sqlite3.wasm', bytesOfFile(SQLITE)],
      ...executorCases.map(
        ({ guest }) => [`/${guest}.wasm`, bytesOfFile(`test/guests/${guest}.wasm`)] as const,
      ),
      ...(javascriptGuest === undefined ? [] : ([['/javascript.wasm', javascriptGuest]] as const)),
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

  describe.each(['ask', 'askWorker', 'askServiceWorker'])('a guest of each kind (%s)', (name) => {
    it.each(executorCases.map((one) => [one.name, one] as const))(
      '%s',
      async (_, { guest, path, answer, refused }) => {
        expect(refused ?? []).not.toContain('Chromium')
        expect(await page.evaluate(`${name}('${path}', '${guest}')`)).toContain(answer)
        expect(errors).toEqual([])
      },
    )
  })

  itHasJavascript('an application of 12 MB, built from JavaScript, answers and waits', async () => {
    for (const name of ['ask', 'askWorker', 'askServiceWorker']) {
      expect(await page.evaluate(`${name}('/snapshot', 'javascript')`)).toBe('998001')
      expect(await page.evaluate(`${name}('/variable?name=greeting', 'javascript')`)).toBe('Later')
      expect(await page.evaluate(`${name}('/wait', 'javascript')`)).toBe('waited')
    }
    expect(errors).toEqual([])
  })

  describe('in a Worker that can be ended', () => {
    it('an application answers, and bodies go through', async () => {
      expect(await page.evaluate(`askSupervised('/status/418')`)).toBe('418 ')
      expect(
        await page.evaluate(`askSupervised('/echo', { method: 'POST', body: 'x'.repeat(200000) })`),
      ).toBe(`200 ${'x'.repeat(200_000)}`)
    })

    it('a client may leave', async () => {
      expect(await page.evaluate(`leaveSupervised('/slow')`)).toBe('gone')
    })

    it('a guest that never gives its turn back is ended, and the page goes on', async () => {
      const answers = page.evaluate(`askSupervised('/loop')`)
      // The page itself is free all the while.
      expect(await page.evaluate(`1 + 1`)).toBe(2)
      expect(await answers).toBe('500 ')
      expect(await page.evaluate(`askSupervised('/env')`)).toBe('200 ')
      expect(await page.evaluate(`lines`)).toContainEqual(
        expect.stringContaining('busy for more than 2000 ms'),
      )
    })

    it('how long a guest may keep its Worker busy is said apart from how long an answer may take', async () => {
      expect(await page.evaluate(`askPatient('/slow')`)).toContain('200 ')
      expect(await page.evaluate(`askPatient('/loop')`)).toBe('500 ')
      expect(await page.evaluate(`lines`)).toContainEqual(
        expect.stringContaining('busy for more than 700 ms'),
      )
    })

    it('a Service Worker asks it through a port', async () => {
      expect(await page.evaluate(`askThroughPort('/echo')`)).toBe(`200 ${'y'.repeat(100_000)}`)
      expect(errors).toEqual([])
    })
  })
})
