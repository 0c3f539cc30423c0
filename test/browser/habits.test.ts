import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { resolve } from '../../src/verbs/resolve.ts'
import { drop } from './drop.ts'
import {
  executablePath,
  expectState,
  expectText,
  focusedId,
  PATIENCE,
  startPages,
  type Pages,
  itInChromium,
} from './pages.ts'
import { registryWithProbe } from './playground-app.ts'

if (executablePath === undefined)
  console.warn('left out: no Chromium found, so nobody handles the pages as people do')

// What people do who have read nothing: nothing that they typed is lost, and each error says what to do.
describe.skipIf(executablePath === undefined)('in a person’s hands', { timeout: 240_000 }, () => {
  let pages: Pages
  let folder: string
  let page: Page

  beforeAll(async () => {
    pages = await startPages()
    folder = mkdtempSync(join(tmpdir(), 'spindle-habits-'))
    writeFileSync(join(folder, 'notes.txt'), 'not an application')
  }, 120_000)
  afterEach(() => pages.reset())
  afterAll(async () => {
    await pages?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const reference = () => page.locator('#reference')
  const state = (name: string) => page.locator(`body[data-state="${name}"]`).waitFor()
  const shown = () => page.frameLocator('iframe[name="spindle-preview"]').locator('body')

  describe('the uploader', () => {
    itInChromium(
      'finds after a reload, and on the way back, what was typed over what a link said',
      async () => {
        page = await pages.open('/?to=registry.example/team/linked:1')
        expect(await reference().inputValue()).toBe('registry.example/team/linked:1')
        await reference().fill('registry.example/team/typed:2')
        await page.locator('#username').fill('ann')
        await page.reload()
        expect(await reference().inputValue()).toBe('registry.example/team/typed:2')
        await page.getByRole('link', { name: 'Run an application' }).click()
        await page.waitForURL(/playground/)
        await page.goBack()
        expect(await reference().inputValue()).toBe('registry.example/team/typed:2')
        expect(await page.locator('#username').inputValue()).toBe('ann')
      },
    )

    it('pushes once for two clicks, to an address that was pasted with spaces around it', async () => {
      const registry = createRegistryHandler({ cors: { origins: [pages.origin] } })
      const tags: string[] = []
      const host = await pages.serve({
        fetch(request) {
          if (request.method === 'PUT' && request.url.includes('/manifests/'))
            tags.push(request.url)
          return registry.fetch(request)
        },
      })
      page = await pages.open('/')
      await page.getByRole('button', { name: 'Try a sample app' }).click()
      await state('ready')
      await page.getByLabel('a registry').check()
      await reference().fill(`  http://${host}/team/hello:1.0.0 `)
      await page.getByRole('button', { name: 'Push', exact: true }).dblclick()
      await state('done')
      await expectText(page.locator('#bar-text'), /^(\d+) of \1 blobs are there, \1 sent/)
      expect(tags.filter((url) => url.endsWith('/1.0.0'))).toHaveLength(1)
    })

    itInChromium(
      'says what to choose when what was dropped is no application, and keeps what was typed',
      async () => {
        page = await pages.open('/')
        await reference().fill('registry.example/team/typed:2')
        await drop(page, join(folder, 'notes.txt'))
        await state('invalid')
        await expectText(page.locator('#findings-next'), 'Choose the folder that spin.toml is in')
        await expectText(page.locator('#findings-message'), 'there is no spin.toml')
        expect(await reference().inputValue()).toBe('registry.example/team/typed:2')
        await page.getByRole('button', { name: 'Push', exact: true }).click()
        await expectText(page.locator('#push-hint'), 'Choose an application first')
      },
    )

    itInChromium(
      'says while it pushes that what is dropped or chosen has to wait, loses nothing, and takes it afterwards',
      async () => {
        const registry = createRegistryHandler({ cors: { origins: [pages.origin] } })
        let goOn = (): void => undefined
        const held = new Promise<void>((done) => (goOn = done))
        const host = await pages.serve({
          async fetch(request) {
            if (request.method === 'PUT') await held
            return registry.fetch(request)
          },
        })
        const status = () => page.locator('#status')
        page = await pages.open('/')
        await page.getByRole('button', { name: 'Try a sample app' }).click()
        await state('ready')
        await page.getByLabel('a registry').check()
        await reference().fill(`${host}/team/hello:1.0.0`)
        await page.getByRole('button', { name: 'Push', exact: true }).click()
        await state('pushing')
        const call = await page.locator('#call').innerText()
        await drop(page, join(folder, 'notes.txt'))
        await expectText(status(), /^A push is running.* Cancel it first, or drop it again/)
        await expectState(page, 'pushing', 'pushing-dropped')
        // Scrolled to the end of a small window, it is in sight, too.
        await page.setViewportSize({ width: 390, height: 600 })
        await page.evaluate(() => scrollTo(0, document.body.scrollHeight))
        expect((await status().boundingBox())?.y).toBe(0)
        const above = await page.evaluate(() => {
          const push = document.querySelector('#push')!
          push.scrollIntoView({ behavior: 'instant' })
          scrollBy({ top: push.getBoundingClientRect().top, behavior: 'instant' })
          const { left, top } = push.getBoundingClientRect()
          return document.elementFromPoint(left + 5, top + 5)?.id
        })
        expect(above).toBe('status')
        await page.setViewportSize({ width: 1280, height: 900 })
        expect(await focusedId(page)).toBe('cancel')
        // The system's dialogue, which was open when the push began.
        await page.locator('#files').setInputFiles(join(folder, 'notes.txt'))
        await expectText(status(), /^A push is running.* or choose it again/)
        expect(await page.locator('#call').innerText()).toBe(call)
        goOn()
        await state('done')
        expect(await page.locator('#app-name').innerText()).toBe('hello 1.0.0')
        await resolve(`${host}/team/hello:1.0.0`)
        await drop(page, join(folder, 'notes.txt'))
        await state('invalid')
      },
    )
  })

  describe('the playground', () => {
    const openProbe = async (): Promise<string> => {
      const { registry } = await registryWithProbe(pages.origin)
      const host = await pages.serve(registry)
      page = await pages.open(`/playground/?ref=${host}/team/probe:1&path=/var/word`)
      await expectText(shown(), 'fine')
      return host
    }

    it('restarts for two clicks as for one', async () => {
      await openProbe()
      await page.getByRole('button', { name: 'Restart' }).dblclick()
      await expectText(page.locator('#status'), 'Started anew')
      await expectText(shown(), 'fine')
      expect(await page.locator('body').getAttribute('data-state')).toBe('running')
    })

    it('opens its link after a reload, and has what was typed and not opened', async () => {
      const host = await openProbe()
      await reference().fill(`${host}/team/other:2`)
      await page.reload()
      await expectText(shown(), 'fine')
      expect(await reference().inputValue()).toBe(`${host}/team/other:2`)
      await expect
        .poll(() => page.locator('#app-reference').textContent(), { timeout: PATIENCE })
        .toBe(`${host}/team/probe:1`)
      // A link that somebody follows says what it says.
      page = await pages.openBeside(page, `/playground/?ref=${host}/team/probe:1&path=/var/word`)
      expect(await reference().inputValue()).toBe(`${host}/team/probe:1`)
    })

    it('keeps a request that was written over a reload', async () => {
      await openProbe()
      await page.getByText('Send a request of your own').click()
      await page.getByLabel('Body', { exact: true }).fill('written with care')
      await page.reload()
      await expectText(shown(), 'fine')
      expect(await page.locator('#compose-body').inputValue()).toBe('written with care')
    })
  })
})
