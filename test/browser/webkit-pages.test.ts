// Both pages in WebKitGTK, from a folder to an answer: its driver speaks WebDriver, not Playwright.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { By, until, type WebDriver } from 'selenium-webdriver'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { servePages } from '../../examples/pages.mjs'
import { listen } from '../../src/node/listen/listen.ts'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { findWebKit, startWebKit } from '../lanes/webkit.mjs'
import { PATIENCE } from './pages.ts'

const isMissing = findWebKit() === undefined
if (isMissing) console.warn('left out: no WebKitGTK found, so neither page is opened in it')

describe.skipIf(isMissing)('in WebKitGTK', { timeout: 240_000 }, () => {
  let folder: string
  let served: Awaited<ReturnType<typeof servePages>>
  let webkit: Awaited<ReturnType<typeof startWebKit>>
  let driver: WebDriver

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spindle-webkit-'))
    served = await servePages({
      listen: (handler) => listen(handler),
      folder: join(folder, 'pages'),
      relayed: ['registry.example'],
      createRelay: (origins) => createRelayHandler({ registries: ['registry.example'], origins }),
    })
    webkit = await startWebKit()
    driver = webkit.driver
  }, 120_000)
  afterAll(async () => {
    await webkit?.close()
    await Promise.all([served?.page.close(), served?.preview.close()])
    rmSync(folder, { recursive: true, force: true })
  })

  const state = (name: string) =>
    driver.wait(until.elementLocated(By.css(`body[data-state="${name}"]`)), PATIENCE)
  const button = (name: string) =>
    driver.findElement(By.xpath(`//button[normalize-space()="${name}"]`))
  /** The preview's frame is replaced while an application starts: each try finds it again. */
  const inPreview = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      await driver.switchTo().defaultContent()
      const frame = await driver.findElement(By.css('iframe[name="spindle-preview"]'))
      await driver.switchTo().frame(frame)
      return await work()
    } catch {
      return undefined
    } finally {
      await driver.switchTo().defaultContent()
    }
  }
  const textShown = (): Promise<string | undefined> =>
    inPreview(() => driver.findElement(By.css('body')).getText())
  const follow = async (path: string): Promise<boolean> =>
    (await inPreview(async () => {
      await driver.findElement(By.css(`a[href*="${path}"]`)).click()
      return true
    })) ?? false

  it('pushes the sample to the registry in the page and runs it, without a server', async () => {
    await driver.get(`${served.origin}/`)
    await driver.wait(until.elementLocated(By.css('body[data-prepared]')), PATIENCE)
    await button('Try a sample app').click()
    await state('ready')
    await button('Push').click()
    await state('done')
    await driver.findElement(By.linkText('Run it in the playground')).click()
    await expect.poll(textShown, { timeout: PATIENCE }).toContain('It runs.')
    await expect.poll(() => follow('hello/'), { timeout: PATIENCE }).toBe(true)
    await expect.poll(textShown, { timeout: PATIENCE }).toContain('Hello')
  })

  it('pushes to a registry over the network', async () => {
    const registry = createRegistryHandler({ cors: { origins: [served.origin as string] } })
    const server = await listen(registry)
    try {
      const host = new URL(server.url).host
      await driver.get(`${served.origin}/?to=${host}/team/hello:2`)
      await button('Try a sample app').click()
      await state('ready')
      await driver.findElement(By.xpath('//label[contains(., "a registry")]')).click()
      const reference = await driver.findElement(By.css('#reference'))
      await reference.clear()
      await reference.sendKeys(`${host}/team/hello:2`)
      await button('Push').click()
      await state('done')
      const tags = await registry.fetch(new Request(`http://${host}/v2/team/hello/tags/list`))
      expect(await tags.json()).toMatchObject({ tags: ['2'] })
    } finally {
      await server.close()
    }
  })
})
