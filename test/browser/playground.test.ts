import type { FrameLocator, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { push } from '../../src/verbs/push.ts'
import {
  executablePath,
  expectGood,
  expectState,
  expectText,
  focusedId,
  lookAtLayout,
  PATIENCE,
  startPages,
  type Pages,
  itInChromium,
} from './pages.ts'
import { composedApp, registryWithProbe } from './playground-app.ts'

if (executablePath === undefined)
  console.warn('left out: no Chromium found, so nobody opens the playground')

describe.skipIf(executablePath === undefined)('the playground', { timeout: 240_000 }, () => {
  let pages: Pages
  let page: Page

  beforeAll(async () => {
    pages = await startPages()
  }, 120_000)
  afterEach(() => pages.reset())
  afterAll(() => pages?.close())

  const preview = (): FrameLocator => page.frameLocator('iframe[name="spindle-preview"]')
  const shown = () => preview().locator('body')
  const address = () => page.getByRole('textbox', { name: 'Path', exact: true })
  const tab = (name: string) => page.getByRole('tab', { name })
  async function go(path: string): Promise<void> {
    await address().fill(path)
    await address().press('Enter')
  }
  /** Opens it by its link and waits until it runs. */
  async function openProbe(more = ''): Promise<{ host: string; digest: string }> {
    const { registry, digest } = await registryWithProbe(pages.origin)
    const host = await pages.serve(registry)
    page = await pages.open(`/playground/?ref=${host}/team/probe:1${more}`)
    await page.locator('body[data-state="running"]').waitFor()
    return { host, digest }
  }

  it('runs its sample without a network, and asks nobody else', async () => {
    page = await pages.open('/playground/')
    await expectState(page, 'empty', 'playground-empty')
    await page.locator('body[data-prepared]').waitFor()
    await page.context().setOffline(true)
    await page.getByRole('button', { name: 'Try a sample app' }).click()
    await expectText(shown(), 'It runs.')
    await expectState(page, 'running', 'playground-running')
    await expect.poll(() => focusedId(page)).toBe('address')
    await preview().getByRole('link', { name: 'a page' }).click()
    await expectText(shown(), 'Hello, world!')
    await expect.poll(() => address().inputValue(), { timeout: PATIENCE }).toBe('/hello/world')
    const own = new URL(pages.origin)
    const strangers = [...pages.asked].filter((host) => !host.split(':')[0]?.endsWith(own.hostname))
    expect(strangers).toEqual([])
  })

  it('opens a link to an application, at the path that it names', async () => {
    const { host, digest } = await openProbe('&path=/var/word')
    await expectText(shown(), 'fine')
    expect(await page.locator('#app-facts code').getAttribute('title')).toBe(digest)
    expect(new URL(page.url()).searchParams.get('ref')).toBe(`${host}/team/probe:1`)
  })

  it('runs a component with what it depends on', async () => {
    const registry = createRegistryHandler({ cors: { origins: [pages.origin] } })
    const host = await pages.serve(registry)
    await push(await composedApp(), `${host}/team/asker:1`, { uncomposed: true })
    page = await pages.open(`/playground/?ref=${host}/team/asker:1&path=/you`)
    await expectText(shown(), 'Hello, /you')
  })

  it('lists requests with headers and bodies, logs, routes and files', async () => {
    await openProbe()
    await go('/log')
    await tab('Logs').click()
    await expectText(page.locator('#log-lines'), /probe\s*stderr\s*one/)
    await expectGood(page, 'playground-logs')
    await tab('Requests').click()
    await page.getByText('Send a request of your own').click()
    await page.getByLabel('Method').selectOption('POST')
    await page.getByLabel('Path of the request').fill('/echo')
    await page.getByLabel('Headers, one a line').fill('content-type: application/json\nx-own: yes')
    await page.getByLabel('Body', { exact: true }).fill('{"said":"so"}')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    const first = page.locator('#exchanges > li').first()
    await expectText(first, /POST\s*\/echo\s*200/)
    await expectText(first, '{"said":"so"}')
    await expectText(first, 'x-own: yes')
    await expectGood(page, 'playground-requests')
    await page.getByLabel('Headers, one a line').fill('no header')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await expectText(page.locator('#compose-problem'), 'write it as')
    await tab('App').click()
    await expectText(page.locator('#routes'), '/...')
    await expectText(page.locator('#components'), 'pages/one.txt')
    await expectGood(page, 'playground-app')
  })

  it('says what an error without a body means, in place of an empty page', async () => {
    await openProbe()
    await go('/trap')
    await expectText(shown(), 'The tab “Logs” may say why')
    await tab('Logs').click()
    await expectText(page.locator('#log-lines'), '/trap failed')
    await page.getByLabel('Stream').selectOption('stdout')
    await expectText(page.locator('#logs'), 'Nothing was printed')
  })

  it('keeps what an application stores, shows it and lets it be changed', async () => {
    await openProbe('&path=/kv/default')
    await expectText(shown(), 'count 1')
    await tab('Storage').click()
    await expectText(page.locator('#values'), 'count')
    await page.getByLabel('Key', { exact: true }).fill('mine')
    await page.getByLabel('Value', { exact: true }).fill('by hand')
    await page.getByRole('button', { name: 'Store', exact: true }).click()
    await expectText(page.locator('#values'), 'by hand')
    await expectGood(page, 'playground-storage')
    await page.reload()
    await expectText(shown(), 'count 2')
    await tab('Storage').click()
    await page.getByRole('button', { name: 'Delete count' }).click()
    await expect
      .poll(() => page.locator('#values').innerText(), { timeout: PATIENCE })
      .not.toContain('count')
    await go('/kv/default')
    await expectText(shown(), 'count 1')
  })

  it('asks before a host is reached, and remembers what was said', async () => {
    const outside = await pages.serve({
      fetch: async () =>
        new Response('from outside', { headers: { 'Access-Control-Allow-Origin': '*' } }),
    })
    await openProbe()
    // Not in the preview: a frame on its way holds up who looks at the page with it.
    await page.getByText('Send a request of your own').click()
    await page.getByLabel('Path of the request').fill(`/out/${outside}/x`)
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await expectText(page.locator('#prompt-text'), `probe wants to reach http://${outside}`)
    await expectGood(page, 'playground-prompt')
    await page.getByRole('button', { name: 'Block', exact: true }).click()
    await expectText(page.locator('#exchanges > li').first(), /refused|error/)
    expect(await page.locator('#prompt').isVisible()).toBe(false)
    await tab('Network').click()
    await expectText(page.locator('#wishes'), 'http://127.0.0.1:*')
    await page.getByRole('button', { name: `Allow http://${outside}` }).click()
    await expectGood(page, 'playground-network')
    await go(`/out/${outside}/y`)
    await expectText(shown(), '200 from outside')
    await page.reload()
    await expectText(shown(), '200 from outside')
  })

  itInChromium(
    'has its frame on the application’s origin before it goes anywhere: on the way there it would miss where to',
    async () => {
      await openProbe('&path=/out/127.0.0.1:9/x')
      // The first page waits for an answer, so the frame is still where it was before.
      await expectText(page.locator('#prompt-text'), 'wants to reach')
      const { origin, pathname } = new URL(page.frame({ name: 'spindle-preview' })?.url() ?? '')
      expect(origin).toMatch(/^http:\/\/[0-9a-f]{16}\.spindle\.localhost:/)
      expect(pathname).toBe('/spindle-preview-empty.html')
      expect(await address().inputValue()).toBe('/out/127.0.0.1:9/x')
      await go('/var/word')
      await expectText(shown(), 'fine')
    },
  )

  it('never lets an application reach the servers of its own page', async () => {
    const own = new URL(pages.origin)
    const { registry } = await registryWithProbe(pages.origin)
    pages.relayTo(registry)
    page = await pages.open('/playground/?ref=registry.example/team/probe:1')
    await page.locator('body[data-state="running"]').waitFor()
    // Its manifest allows only 127.0.0.1, under which the pages are served as well.
    // It would come with this page's name, which the relay trusts: nobody is even asked.
    await go(`/out/127.0.0.1:${own.port}/relay/registry.example/v2/`)
    await expectText(shown(), /refused|error/)
    await tab('Logs').click()
    await expectText(page.locator('#log-lines'), `http://127.0.0.1:${own.port} was not reached`)
  })

  it('asks for variables before it starts, and keeps no secret', async () => {
    const { registry } = await registryWithProbe(pages.origin, { needsVariables: true })
    const host = await pages.serve(registry)
    page = await pages.open(`/playground/?ref=${host}/team/probe:1&path=/var/word`)
    await expectState(page, 'needs', 'playground-needs')
    expect(await focusedId(page)).toBe('variable-token')
    await page.getByLabel('word', { exact: true }).fill('open')
    await page.getByLabel('token', { exact: true }).fill('sesame')
    await page.getByRole('button', { name: 'Use these values' }).click()
    await expectText(shown(), 'open sesame')
    await expectState(page, 'running', 'playground-variables')
    await page.getByLabel('word', { exact: true }).fill('shut')
    await page.getByRole('button', { name: 'Use these values' }).click()
    await expectText(shown(), 'shut sesame')
    await page.reload()
    await page.locator('body[data-state="needs"]').waitFor()
    expect(await page.getByLabel('word', { exact: true }).inputValue()).toBe('shut')
    expect(await page.getByLabel('token', { exact: true }).inputValue()).toBe('')
    expect(await page.evaluate(() => JSON.stringify({ ...localStorage }))).not.toContain('sesame')
  })

  it('ends an application that gets stuck, and starts it anew', async () => {
    await openProbe('&path=/var/word')
    await expectText(shown(), 'fine')
    await go('/loop')
    await expectText(page.locator('#status'), 'no sign of life')
    await expectText(shown(), 'The tab “Logs” may say why')
    await tab('Logs').click()
    await expectText(page.locator('#log-lines'), 'kept its Worker busy for more than 10000 ms')
    await go('/var/word')
    await expectText(shown(), 'fine')
  })

  it('can be used from the reference to the answer with the keyboard alone', async () => {
    const { registry } = await registryWithProbe(pages.origin)
    const host = await pages.serve(registry)
    page = await pages.open('/playground/')
    const tabTo = async (id: string): Promise<void> => {
      for (let i = 0; i < 30; i++) {
        await page.keyboard.press('Tab')
        if ((await focusedId(page)) === id) return
      }
      throw new Error(`#${id} is not reached`)
    }
    await tabTo('reference')
    await page.keyboard.type(`${host}/team/probe:1`)
    await page.keyboard.press('Enter')
    await page.locator('body[data-state="running"]').waitFor()
    await expect.poll(() => focusedId(page)).toBe('address')
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.type('/var/word')
    await page.keyboard.press('Enter')
    await expectText(shown(), 'fine')
    await tabTo('tab-requests')
    await page.keyboard.press('ArrowRight')
    await expect.poll(() => focusedId(page)).toBe('tab-logs')
    expect(await page.locator('#logs').isVisible()).toBe(true)
    await page.keyboard.press('End')
    expect(await page.locator('#network').isVisible()).toBe(true)
  })

  it('has targets that a finger finds and reflows on a phone', async () => {
    await openProbe()
    await page.setViewportSize({ width: 320, height: 700 })
    for (const name of ['Logs', 'App', 'Variables', 'Storage', 'Network', 'Requests']) {
      await tab(name).click()
      expect(await lookAtLayout(page), name).toEqual({ small: [], overflow: 0 })
    }
  })

  it('keeps the chosen tab in sight, however narrow it gets', async () => {
    await openProbe()
    await tab('Network').click()
    await page.setViewportSize({ width: 320, height: 700 })
    const hidden = () =>
      page.evaluate(() => {
        const chosen = document.querySelector('[role="tab"][aria-selected="true"]') as HTMLElement
        const [tab, list] = [chosen, chosen.parentElement as HTMLElement].map((element) =>
          element.getBoundingClientRect(),
        ) as [DOMRect, DOMRect]
        return Math.round(Math.max(list.left - tab.left, tab.right - list.right, 0))
      })
    await expect.poll(hidden, { timeout: PATIENCE }).toBe(0)
  })

  it('says that it waits, and stops when it is told to', async () => {
    let asked = (): void => undefined
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    const host = await pages.serve({
      fetch: (request) => {
        asked()
        return new Promise((_, reject) =>
          request.signal.addEventListener('abort', () => reject(request.signal.reason)),
        )
      },
    })
    page = await pages.open(`/playground/?ref=${host}/team/probe:1`)
    await isAsked
    await expectState(page, 'opening', 'playground-opening')
    expect(await focusedId(page)).toBe('cancel')
    await page.keyboard.press('Escape')
    await page.locator('body[data-state="empty"]').waitFor()
    expect(await focusedId(page)).toBe('reference')
    await page.getByRole('button', { name: 'Try a sample app' }).click()
    await expectText(shown(), 'It runs.')
  })
})
