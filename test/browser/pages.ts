import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import {
  type Browser,
  type BrowserContext,
  chromium,
  firefox,
  type Locator,
  type Page,
} from 'playwright'
import { expect, it } from 'vitest'
import { RELAY_PREFIX, servePages } from '../../examples/pages.mjs'
import { listen, type Listener } from '../../src/node/listen/listen.ts'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import type { FetchHandler } from '../../src/types.ts'
import { CHROMIUM_FLAGS, findChromium } from '../lanes/chromium.mjs'
import { findFirefox, firefoxLaunch } from '../lanes/firefox.mjs'

/** The lane of Firefox sets it. */
export const isFirefox: boolean = process.env['PAGES_IN'] === 'firefox'

export const executablePath = isFirefox ? findFirefox() : findChromium()

/**
 * A case for which a driver needs Chromium's own protocol: a drop from outside, a file that is saved, the
 * end of a Service Worker, a full disk, the way back through the page cache.
 */
export const itInChromium: typeof it | (() => void) = isFirefox ? () => {} : it

function launch(): Promise<Browser> {
  return isFirefox
    ? firefox.launch(firefoxLaunch())
    : chromium.launch({ executablePath: executablePath as string, args: CHROMIUM_FLAGS })
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** `SCREENSHOTS=FOLDER` keeps a picture of every state: light and dark, wide and narrow. */
const pictures = process.env['SCREENSHOTS']
const SIZES = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } } as const

/** Long enough for a machine that does much else. Nothing waits for it that goes well. */
export const PATIENCE = 45_000

/** The registry that the pages' relay goes to; only the test knows where it is. */
export const RELAYED_HOST = 'registry.example'

export interface Pages {
  /** Of the uploader and the playground. */
  readonly origin: string
  /** A fresh page in a browser that knows nothing. */
  open(path?: string): Promise<Page>
  /** Another page in the same browser. */
  openBeside(page: Page, path: string): Promise<Page>
  /** Puts a server behind a port until the test ends. @returns Its host. */
  serve(handler: FetchHandler): Promise<string>
  /** Nobody answers at the pages' addresses any more. */
  stopServing(): Promise<void>
  /** What is behind the relay. */
  relayTo(handler: FetchHandler): void
  /** Uncaught errors and breaches of the pages' own policy. */
  readonly problems: string[]
  /** Hosts that were asked for anything. */
  readonly asked: Set<string>
  /** Ends what a test began. */
  reset(): Promise<void>
  close(): Promise<void>
}

/** @param trustedRoot By which the playground proves identities. Default: Sigstore's own. */
export async function startPages(trustedRoot?: object): Promise<Pages> {
  const folder = mkdtempSync(join(tmpdir(), 'spindle-pages-'))
  const servers: Listener[] = []
  const contexts: BrowserContext[] = []
  let behind: FetchHandler | undefined
  const nobody = async (): Promise<Response> => {
    throw new TypeError('there is no registry behind the relay')
  }
  const rootPath = join(folder, 'root.json')
  if (trustedRoot !== undefined) writeFileSync(rootPath, JSON.stringify(trustedRoot))
  const served = await servePages({
    listen: (handler) => listen(handler),
    folder: join(folder, 'pages'),
    ...(trustedRoot !== undefined && { trustedRoot: rootPath }),
    relayed: [RELAYED_HOST],
    createRelay: (origins) =>
      createRelayHandler({
        registries: [RELAYED_HOST],
        origins,
        prefix: RELAY_PREFIX,
        writable: () => true,
        fetch: (request) => (behind?.fetch ?? nobody)(request),
      }),
  })
  const browser = await launch()
  const stopServing = async (): Promise<void> => {
    await Promise.all([served.page.close(), served.preview.close()])
  }
  const problems: string[] = []
  const asked = new Set<string>()
  const watch = (page: Page): Page => {
    page.setDefaultTimeout(PATIENCE)
    page.on('pageerror', ({ message }) => {
      // Firefox reports each request that CORS forbids as an error of the page.
      if (!message.startsWith('The Same Origin Policy disallows')) problems.push(message)
    })
    page.on('console', (message) => {
      if (/Content Security Policy|Trusted/i.test(message.text())) problems.push(message.text())
    })
    page.on('request', (request) => {
      if (!/^(?:blob|data):/.test(request.url())) asked.add(new URL(request.url()).host)
    })
    return page
  }
  return {
    origin: served.origin as string,
    problems,
    asked,
    async open(path = '/') {
      const context = await browser.newContext({
        viewport: SIZES.wide,
        ...(isFirefox ? {} : { permissions: ['clipboard-read', 'clipboard-write'] }),
      })
      contexts.push(context)
      const page = watch(await context.newPage())
      await page.goto(`${served.origin}${path}`)
      return page
    },
    async openBeside(page, path) {
      const other = watch(await page.context().newPage())
      await other.goto(`${served.origin}${path}`)
      return other
    },
    async serve(handler) {
      const server = await listen(handler)
      servers.push(server)
      return new URL(server.url).host
    },
    stopServing,
    relayTo(handler) {
      behind = handler
    },
    async reset() {
      await Promise.all(contexts.splice(0).map((context) => context.close()))
      await Promise.all(servers.splice(0).map((server) => server.close()))
      behind = undefined
      asked.clear()
      expect(problems.splice(0)).toEqual([])
    },
    async close() {
      await browser.close()
      await stopServing()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Waits for a state, looks at it with axe in both colour schemes, and pictures it if asked to. */
export async function expectState(page: Page, state: string, name = state): Promise<void> {
  await page.locator(`body[data-state="${state}"]`).waitFor()
  await expectGood(page, name)
}

/** Looks at a page as it is. */
export async function expectGood(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    expect(await breaches(page), `${name}, ${colorScheme}`).toEqual([])
    if (pictures === undefined) continue
    mkdirSync(pictures, { recursive: true })
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport)
      const path = join(pictures, `${name}-${colorScheme}-${size}.png`)
      await page.screenshot({ path, fullPage: true })
    }
    await page.setViewportSize(SIZES.wide)
  }
}

/** Waits until something says it. */
export async function expectText(at: Locator, text: string | RegExp): Promise<void> {
  const said = expect.poll(() => at.innerText(), { timeout: PATIENCE })
  await (typeof text === 'string' ? said.toContain(text) : said.toMatch(text))
}

export const focusedId = (page: Page): Promise<string | undefined> =>
  page.evaluate(() => document.activeElement?.id)

async function breaches(page: Page): Promise<string[]> {
  // Evaluated by the driver, which stands above the page's policy.
  await page.evaluate(AXE)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(options: object): Promise<{
          violations: ReadonlyArray<{ id: string; nodes: ReadonlyArray<{ html: string }> }>
        }>
      }
    }
    const { violations } = await axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      // Applications' pages are their own.
      iframes: false,
    })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
  })
}

/** Nothing reaches over the edge, and all that is pressed is large enough for a finger. */
export async function lookAtLayout(page: Page): Promise<{ small: string[]; overflow: number }> {
  return page.evaluate(() => ({
    small: [
      ...document.querySelectorAll<HTMLElement>('button, a, label.button, label.choice, summary'),
    ]
      .filter((target) => target.offsetParent !== null)
      .filter((target) => target.offsetHeight < 24 || target.offsetWidth < 24)
      .map((target) => `${target.id} ${target.textContent?.trim()}`),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  }))
}

/** As the folder dialog does it. Firefox takes no folder from a driver: it gets its files. */
export async function chooseFolder(input: Locator, folder: string): Promise<void> {
  if (!isFirefox) return input.setInputFiles(folder)
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(folder, path)).isFile())
    .map((path) => ({
      path: `${basename(folder)}/${path}`,
      base64: readFileSync(join(folder, path), 'base64'),
    }))
  await input.evaluate((element, chosen) => {
    const transfer = new DataTransfer()
    for (const { path, base64 } of chosen) {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
      const file = new File([bytes], path.slice(path.lastIndexOf('/') + 1))
      Object.defineProperty(file, 'webkitRelativePath', { value: path })
      transfer.items.add(file)
    }
    ;(element as HTMLInputElement).files = transfer.files
    element.dispatchEvent(new Event('change', { bubbles: true }))
  }, files)
}
