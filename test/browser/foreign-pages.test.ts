import { chromium, type Browser, type Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { formatInvoice } from '../../src/bindle/invoice.ts'
import { listen, type Listener } from '../../src/node/listen/listen.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import type { CorsOptions } from '../../src/serve/http/cors.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { listAll, type Storage } from '../../src/serve/storage/port.ts'
import { CHROMIUM_FLAGS, findChromium } from '../lanes/chromium.mjs'

const executablePath = findChromium()
if (executablePath === undefined) console.log('left out: pages of other sites, no Chromium')

/** A name of the attacker's that leads to this machine, as rebinding makes it. */
const REBOUND = 'evil.example'

const text = 'of a page'
const digest = await digestOf(new TextEncoder().encode(text))

/** What a page of another site can send to a server without being asked, and to read nothing of. */
async function attack([registry, bindle, invoice]: readonly [
  string,
  string,
  string,
]): Promise<void> {
  const send = (url: string, body: BodyInit): Promise<unknown> =>
    fetch(url, { method: 'POST', mode: 'no-cors', body }).catch(() => {})
  for (const url of [registry, bindle]) {
    await send(url, invoice)
    await send(url, new Blob([invoice]))
    await send(url, new URLSearchParams({ a: invoice }))
    navigator.sendBeacon(url, invoice)
  }
  // Navigations: from a form, and from a sandboxed frame, whose origin is "null".
  for (const [url, sandbox] of [registry, bindle].flatMap((url) => [
    [url, undefined] as const,
    [url, 'allow-forms allow-scripts'] as const,
  ])) {
    const frame = document.createElement('iframe')
    if (sandbox !== undefined) frame.setAttribute('sandbox', sandbox)
    frame.srcdoc = `<form method=post enctype=text/plain action="${url}"><input name=a value=b></form><script>document.forms[0].submit()</script>`
    document.body.append(frame)
  }
}

describe.skipIf(executablePath === undefined)('a page in Chromium', { timeout: 60_000 }, () => {
  let browser: Browser
  const open: Listener[] = []
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: [
        ...CHROMIUM_FLAGS,
        `--host-resolver-rules=MAP ${REBOUND} 127.0.0.1`,
        // Newer ones ask the user before a page reaches this machine; others do not.
        '--disable-features=LocalNetworkAccessChecks',
      ],
    })
  })
  afterAll(() => browser.close())
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()))
    await Promise.all(open.splice(0).map((listener) => listener.close()))
  })

  async function serve(cors?: CorsOptions) {
    const storages = [createMemoryStorage(), createMemoryStorage()] as const
    const options = cors === undefined ? {} : { cors }
    const asked: string[] = []
    const serveOne = async (handler: ReturnType<typeof createRegistryHandler>): Promise<string> => {
      const listener = await listen({
        fetch: (request) => {
          asked.push(request.method)
          return handler.fetch(request)
        },
      })
      open.push(listener)
      return listener.url
    }
    const registry = await serveOne(createRegistryHandler({ storage: storages[0], ...options }))
    const bindle = await serveOne(createBindleHandler({ storage: storages[1], ...options }))
    return { storages, registry, bindle, asked }
  }

  /** A page of another site. */
  async function openPage(): Promise<{ page: Page; origin: string }> {
    const site = await listen({
      fetch: async () =>
        new Response('<!doctype html>', { headers: { 'Content-Type': 'text/html' } }),
    })
    open.push(site)
    const page = await (await browser.newContext()).newPage()
    await page.goto(site.url)
    return { page, origin: site.url }
  }

  const keysOf = async (storages: readonly Storage[]): Promise<string[]> => {
    const keys: string[] = []
    for (const storage of storages) for await (const { key } of listAll(storage, '')) keys.push(key)
    return keys
  }

  it('of another site writes nothing by any request that needs no preflight', async () => {
    const { storages, registry, bindle, asked } = await serve()
    const { page } = await openPage()
    const invoice = new TextDecoder().decode(
      formatInvoice({ bindleVersion: '1.0.0', bindle: { name: 'evil', version: '1.0.0' } }),
    )
    await page.evaluate(attack, [
      `${registry}/v2/a/blobs/uploads/`,
      `${bindle}/v1/_i`,
      invoice,
    ] as const)
    // Each of six kinds, to both servers.
    const posts = (): number => asked.filter((method) => method === 'POST').length
    await expect.poll(posts).toBe(12)
    await Promise.all(open.splice(0).map((listener) => listener.close()))
    expect(await keysOf(storages)).toEqual([])
  })

  it('of a site that is allowed pushes and reads', async () => {
    const { page, origin } = await openPage()
    const { registry } = await serve({ origins: [origin] })
    const status = await page.evaluate(
      async ([url, body]) => (await fetch(url, { method: 'POST', body })).status,
      [`${registry}/v2/a/blobs/uploads/?digest=${digest}`, text] as const,
    )
    expect(status).toBe(201)
  })

  it('of a name that leads to this machine reaches nothing, and of localhost all', async () => {
    const { storages, registry, asked } = await serve()
    const { port } = new URL(registry)
    const context = await browser.newContext()
    const askFrom = async (host: string): Promise<readonly number[]> => {
      const page = await context.newPage()
      const html = { body: '<!doctype html>', contentType: 'text/html' }
      await page.route(`http://${host}:${port}/page`, (route) => route.fulfill(html))
      await page.goto(`http://${host}:${port}/page`)
      return page.evaluate(
        async ([path, body]) => [
          (await fetch('/v2/_catalog')).status,
          (await fetch(path, { method: 'POST', body })).status,
          (await fetch('/v2/a/manifests/v1', { method: 'DELETE' })).status,
        ],
        [`/v2/a/blobs/uploads/?digest=${digest}`, text] as const,
      )
    }
    expect(await askFrom(REBOUND)).toEqual([421, 421, 421])
    expect(asked).toEqual([])
    expect(await keysOf(storages)).toEqual([])
    expect(await askFrom('localhost')).toEqual([200, 201, 404])
  })
})
