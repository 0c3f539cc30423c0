import type { Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  executablePath,
  expectState,
  expectText,
  PATIENCE,
  startPages,
  type Pages,
} from './pages.ts'
import { registryWithProbe } from './playground-app.ts'

if (executablePath === undefined)
  console.warn('left out: no Chromium found, so nobody opens a second playground')

describe.skipIf(executablePath === undefined)(
  'the playground in two tabs of one browser',
  { timeout: 240_000 },
  () => {
    let pages: Pages

    beforeAll(async () => {
      pages = await startPages()
    }, 120_000)
    afterEach(() => pages.reset())
    afterAll(() => pages?.close())

    const shown = (at: Page) => at.frameLocator('iframe[name="spindle-preview"]').locator('body')
    const originOf = async (at: Page): Promise<string> => {
      const url = (): string => at.frame({ name: 'spindle-preview' })?.url() ?? ''
      await expect.poll(url, { timeout: PATIENCE }).toMatch(/^http:/)
      return new URL(url()).origin
    }
    const go = async (at: Page, path: string): Promise<void> => {
      const address = at.getByRole('textbox', { name: 'Path', exact: true })
      await address.fill(path)
      await address.press('Enter')
    }

    it('keeps a tab’s origin when it is reloaded, and gives a copy of the tab another', async () => {
      const page = await pages.open('/playground/?sample')
      await expectText(shown(page), 'It runs.')
      const origin = await originOf(page)
      await page.reload()
      await expectText(shown(page), 'It runs.')
      expect(await originOf(page)).toBe(origin)
      // As “Duplicate tab” does: a window that is opened starts with all that its opener remembers.
      const opened = page.waitForEvent('popup')
      await page.evaluate(() => void open(location.href))
      const copy = await opened
      copy.setDefaultTimeout(PATIENCE)
      expect(await copy.evaluate(() => sessionStorage.length)).toBeGreaterThan(0)
      await expectText(shown(copy), 'It runs.')
      expect(await originOf(copy)).not.toBe(origin)
      await go(copy, '/hello/copy')
      await expectText(shown(copy), 'Hello, copy!')
      await expect.poll(() => page.locator('#exchanges').innerText()).not.toContain('/hello/copy')
    })

    it('shows one application at a time where all tabs share one origin, and says so to the second', async () => {
      const own = pages.origin.replace('spindle.localhost', 'localhost')
      const page = await pages.open('/playground/')
      await page.goto(`${own}/playground/?sample`)
      await expectText(shown(page), 'It runs.')
      const { registry } = await registryWithProbe(own)
      const host = await pages.serve(registry)
      const second = await pages.openBeside(page, '/playground/')
      await second.goto(`${own}/playground/?ref=${host}/team/probe:1&path=/var/word`)
      await expectState(second, 'failed', 'playground-taken')
      await expectText(second.locator('#failure-title'), 'Another tab shows an application')
      // The first goes on, and it alone is asked.
      await go(page, '/hello/first')
      await expectText(shown(page), 'Hello, first!')
      await page.close()
      await second.getByRole('button', { name: 'Open it again' }).click()
      await expectText(shown(second), 'fine')
      await second.reload()
      await expectText(shown(second), 'fine')
    })
  },
)
