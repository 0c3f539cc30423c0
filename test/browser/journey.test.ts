import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { bytesOfFile } from '../run/fixtures.ts'
import { drop } from './drop.ts'
import {
  chooseFolder,
  executablePath,
  expectText,
  isFirefox,
  startPages,
  type Pages,
} from './pages.ts'

if (executablePath === undefined)
  console.warn('left out: no Chromium found, so nobody goes from one page to the other')

const MANIFEST = `spin_manifest_version = 2

[application]
name = "greeter"
version = "2.1.0"

[variables]
greeting = { default = "Welcome" }

[[trigger.http]]
route = "/..."
component = "greeter"

[[trigger.http]]
route = "/hello/:name"
component = "greeter"

[component.greeter]
source = "greeter.wasm"
files = ["static/*"]

[component.greeter.variables]
greeting = "{{ greeting }}"
`

/** A drop, or the folder dialog where no driver can drop. */
const give = (page: Page, folder: string): Promise<void> =>
  isFirefox ? chooseFolder(page.locator('#folder'), folder) : drop(page, folder)

describe.skipIf(executablePath === undefined)(
  'from a folder to an answer in the browser',
  { timeout: 240_000 },
  () => {
    let pages: Pages
    let folder: string
    let page: Page

    beforeAll(async () => {
      pages = await startPages()
      folder = mkdtempSync(join(tmpdir(), 'spindle-journey-'))
      mkdirSync(join(folder, 'static'))
      writeFileSync(join(folder, 'spin.toml'), MANIFEST)
      writeFileSync(join(folder, 'greeter.wasm'), bytesOfFile('examples/hello/hello.wasm'))
      writeFileSync(join(folder, 'static', 'index.html'), '<h1>My own page</h1>')
    }, 120_000)
    afterEach(() => pages.reset())
    afterAll(async () => {
      await pages?.close()
      rmSync(folder, { recursive: true, force: true })
    })

    const shown = () => page.frameLocator('iframe[name="spindle-preview"]').locator('body')

    it('drop, push, sign, follow the link: the signed application answers', async () => {
      const host = await pages.serve(createRegistryHandler({ cors: { origins: [pages.origin] } }))
      page = await pages.open(`/?to=${host}/team/greeter:2`)
      await give(page, folder)
      await page.locator('body[data-state="ready"]').waitFor()
      await page.getByLabel('sign it with a key').check()
      await page.getByRole('button', { name: 'Push', exact: true }).click()
      await page.locator('body[data-state="done"]').waitFor()
      await page.getByRole('link', { name: 'Run it in the playground' }).click()
      await expectText(shown(), 'My own page')
      await expectText(page.locator('#signed'), 'signed by your key')
      expect(page.url()).toMatch(/greeter%40sha256%3A[0-9a-f]{64}/)
      await page.getByRole('textbox', { name: 'Path', exact: true }).fill('/hello/you')
      await page.getByRole('button', { name: 'Go', exact: true }).click()
      await expectText(shown(), 'Welcome, you!')
    })

    it('and needs no server for any of it', async () => {
      page = await pages.open()
      await page.locator('body[data-prepared]').waitFor()
      await page.getByLabel('the demo registry in this page').check()
      await give(page, folder)
      await page.locator('body[data-state="ready"]').waitFor()
      await page.getByRole('button', { name: 'Push', exact: true }).click()
      await page.locator('body[data-state="done"]').waitFor()
      await page.getByRole('link', { name: 'Run it in the playground' }).click()
      await expectText(shown(), 'My own page')
      await expectText(page.locator('#app-facts'), 'kept in this browser')
      const strangers = [...pages.asked].filter((host) => !/\bspindle\.localhost(?::|$)/.test(host))
      expect(strangers).toEqual([])
    })
  },
)
