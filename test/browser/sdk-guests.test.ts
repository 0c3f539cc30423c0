import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Miniflare, type MiniflareOptions } from 'miniflare'
import { chromium, type Browser, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { CHROMIUM_FLAGS, findChromium } from '../lanes/chromium.mjs'
import { workerScriptDefine } from '../lanes/worker-script.mjs'
import { bytesOfFile } from '../run/fixtures.ts'
import { itHasSdkGuest, sdkGuest, sdkGuests, type SdkCase } from '../run/sdk-cases.ts'

const UPSTREAM = 'http://up.example'
const folder = fileURLToPath(new URL('.', import.meta.url))

/** The application around a guest, and its host on the other side of `fetch`, for both runtimes. */
const COMMON = `
  import { pulledApp } from '../run/pulled-app.ts'
  const appOf = (wasm, wagi) => pulledApp({
    guest: {
      wasm,
      env: { FOO: 'bar' },
      config: { greeting: 'Hi, {{ who }}!' },
      fileTree: new Map([['data/a.txt', new TextEncoder().encode('a file')]]),
      metadata: {
        key_value_stores: ['default'],
        databases: ['default'],
        allowed_outbound_hosts: ['${UPSTREAM}'],
      },
    },
  }, [{ route: '/...', component: 'guest', ...(wagi && { executor: { type: 'wagi' } }) }],
  { variables: { who: { default: 'you' } } })
  const upstream = async (request) => new Response('up: ' + (await request.text()))`
const PAGE = `${COMMON}
  import initSqlite from '@sqlite.org/sqlite-wasm'
  import { createAppHandler, createMemoryKeyValue, createSqliteWasm } from '../../src/run/index.ts'
  const load = async (name) => new Uint8Array(await (await fetch('/' + name + '.wasm')).arrayBuffer())
  let handler
  globalThis.start = async (name, wagi) => {
    const connect = createSqliteWasm(await initSqlite({ wasmBinary: await load('sqlite3') }))
    const store = createMemoryKeyValue()
    handler = await createAppHandler(appOf(await load(name), wagi), {
      fetch: upstream,
      keyValue: () => store,
      sqlite: connect,
    })
  }
  globalThis.ask = async (path, body) => {
    const init = body === undefined ? {} : { method: 'POST', body }
    const response = await handler.fetch(new Request(location.origin + path, init))
    return [response.status, await response.text()]
  }`
const WORKER = `${COMMON}
  import { WorkerEntrypoint } from 'cloudflare:workers'
  import { createWorkerHost, createWorkersKeyValue, toWorkerCode } from '../../src/run/worker-loader/index.ts'
  export class AppHost extends WorkerEntrypoint {
    fetch(request) {
      const keyValue = () => createWorkersKeyValue(this.env.VALUES, { prefix: this.ctx.props.name + '/' })
      return createWorkerHost({ fetch: upstream, keyValue }).fetch(request)
    }
  }
  export default {
    fetch(request, env, ctx) {
      const name = request.headers.get('x-guest')
      const app = appOf(new Uint8Array(env[name]), name === 'go-wagi')
      const host = ctx.exports.AppHost({ props: { name } })
      return env.LOADER.get(name, () => toWorkerCode(app, { host })).getEntrypoint().fetch(request)
    },
  }`

async function bundle(contents: string, define: Readonly<Record<string, string>> = {}) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder, loader: 'ts' },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    define: { ...define },
    external: ['cloudflare:workers'],
  })
  return outputFiles[0]?.text ?? ''
}

type Ask = (one: SdkCase) => Promise<readonly [status: number, text: string]>

async function expectAnswers(cases: readonly SdkCase[], ask: Ask): Promise<void> {
  const seen: unknown[] = []
  for (const one of cases) {
    const path = one.path.replace('UPSTREAM', UPSTREAM)
    seen.push([one.path, ...(await ask({ ...one, path }))])
  }
  expect(seen).toEqual(
    cases.map(({ path, status = 200, answer }) => [
      path,
      status,
      answer instanceof RegExp ? expect.stringMatching(answer) : answer,
    ]),
  )
}

const executablePath = findChromium()

describe.skipIf(executablePath === undefined)('guests of the public SDKs, run in a page', () => {
  let server: Server
  let browser: Browser
  let page: Page
  beforeAll(async () => {
    const script = await bundle(PAGE)
    server = createServer((request, response) => {
      const path = request.url ?? '/'
      const name = path.slice(1, -'.wasm'.length)
      if (path === '/')
        response
          .setHeader('content-type', 'text/html')
          .end('<!doctype html><script type="module" src="/page.js"></script>')
      else if (path === '/page.js')
        response.setHeader('content-type', 'text/javascript').end(script)
      else
        response
          .setHeader('content-type', 'application/wasm')
          .end(
            name === 'sqlite3'
              ? bytesOfFile('node_modules/@sqlite.org/sqlite-wasm/sqlite-wasm/jswasm/sqlite3.wasm')
              : sdkGuest(name),
          )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: CHROMIUM_FLAGS,
    })
    page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await page.waitForFunction('globalThis.start !== undefined')
  })
  afterAll(async () => {
    await browser?.close()
    await new Promise((resolve) => server.close(resolve))
  })

  for (const guest of sdkGuests)
    itHasSdkGuest(guest, async () => {
      await page.evaluate(`start('${guest.name}', ${guest.executor !== undefined})`)
      await expectAnswers(guest.cases, ({ path, body }) =>
        page.evaluate(`ask(${JSON.stringify(path)}, ${JSON.stringify(body)})`),
      )
    })
})

describe('guests of the public SDKs, run in a Worker that a Worker loaded', () => {
  let worker: Miniflare
  beforeAll(async () => {
    const guests = sdkGuests.map(({ name }) => [name, sdkGuest(name)] as const)
    worker = new Miniflare({
      compatibilityDate: '2026-03-01',
      modules: true,
      script: await bundle(WORKER, await workerScriptDefine()),
      workerLoaders: { LOADER: {} },
      kvNamespaces: ['VALUES'],
      dataBlobBindings: Object.fromEntries(guests.filter(([, wasm]) => wasm !== undefined)),
    } as MiniflareOptions)
    await worker.ready
  }, 60_000) // It is handed 100 MB of guests.
  afterAll(() => worker.dispose())

  for (const guest of sdkGuests)
    itHasSdkGuest(guest, async () => {
      // Workers have no SQLite of the manifest's kind.
      const cases = guest.cases.map((one) =>
        one.path === '/sqlite' ? { ...one, status: 500, answer: /^/ } : one,
      )
      await expectAnswers(cases, async ({ path, body }) => {
        const response = await worker.dispatchFetch(`http://app.example${path}`, {
          ...(body !== undefined && { method: 'POST', body }),
          headers: { 'x-guest': guest.name },
        })
        return [response.status, await response.text()]
      })
    })
})
