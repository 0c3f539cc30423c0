import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright'
import { expect } from 'vitest'
import { createPageHandler } from '../../examples/page-handler.mjs'
import { buildUploader } from '../../examples/uploader/build.mjs'
import { listen, type Listener } from '../../src/node/listen.ts'
import { CHROMIUM_FLAGS, findChromium } from '../lanes/chromium.mjs'

export const executablePath = findChromium()

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** `SCREENSHOTS=FOLDER` keeps a picture of every state: light and dark, wide and narrow. */
const pictures = process.env['SCREENSHOTS']
const SIZES = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } } as const

export interface Uploader {
  readonly origin: string
  /** A fresh page. What it must not do fails the test that opened it: see `problems`. */
  open(path?: string): Promise<Page>
  /** Uncaught errors and breaches of the page's own policy. */
  readonly problems: string[]
  /** Hosts that were asked for anything. */
  readonly asked: Set<string>
  close(): Promise<void>
}

export async function startUploader(): Promise<Uploader> {
  const folder = mkdtempSync(join(tmpdir(), 'spindle-uploader-'))
  await buildUploader(folder)
  const server: Listener = await listen(createPageHandler(folder))
  const browser: Browser = await chromium.launch({
    executablePath: executablePath as string,
    args: CHROMIUM_FLAGS,
  })
  const problems: string[] = []
  const asked = new Set<string>()
  return {
    origin: server.url,
    problems,
    asked,
    async open(path = '/') {
      const context = await browser.newContext({
        viewport: SIZES.wide,
        permissions: ['clipboard-read', 'clipboard-write'],
      })
      const page = await context.newPage()
      page.setDefaultTimeout(15_000)
      page.on('pageerror', (error) => problems.push(error.message))
      page.on('console', (message) => {
        if (/Content Security Policy|Trusted/i.test(message.text())) problems.push(message.text())
      })
      page.on('request', (request) => {
        if (!/^(?:blob|data):/.test(request.url())) asked.add(new URL(request.url()).host)
      })
      await page.goto(server.url + path)
      return page
    },
    async close() {
      await browser.close()
      await server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Waits for a state, looks at it with axe in both colour schemes, and pictures it if asked to. */
export async function expectState(page: Page, state: string, name = state): Promise<void> {
  await page.locator(`body[data-state="${state}"]`).waitFor()
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
    })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
  })
}
