import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createBasicAuthorizer } from '../../src/serve/http/basic.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { resolve } from '../../src/verbs/resolve.ts'
import { verify } from '../../src/verbs/verify.ts'
import { bytesOfFile } from '../run/fixtures.ts'
import { drop } from './drop.ts'
import {
  chooseFolder,
  executablePath,
  expectState,
  focusedId,
  lookAtLayout,
  PATIENCE,
  RELAYED_HOST,
  startPages,
  type Pages,
  itInChromium,
} from './pages.ts'

if (executablePath === undefined)
  console.warn('left out: no Chromium found, so nobody opens the uploader')

const MANIFEST = `spin_manifest_version = 2

[application]
name = "greeter"
version = "2.1.0"

[[trigger.http]]
route = "/..."
component = "greeter"

[component.greeter]
source = "greeter.wasm"
files = ["static/*"]
`

describe.skipIf(executablePath === undefined)('the uploader', { timeout: 120_000 }, () => {
  let uploader: Pages
  let folder: string
  let page: Page

  beforeAll(async () => {
    uploader = await startPages()
    folder = mkdtempSync(join(tmpdir(), 'spindle-uploader-app-'))
    writeApp('good', MANIFEST)
    writeApp(
      'bad',
      MANIFEST.replace('component = "greeter"', 'component = "gretter"').replace(
        'files = [',
        'allowed_outbound_hosts = ["nonsense host"]\nfiles = [',
      ),
    )
    writeFileSync(join(folder, 'not.zip'), 'this is no zip')
  }, 60_000)
  afterEach(async () => {
    await uploader.reset()
  })
  afterAll(async () => {
    await uploader?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function writeApp(name: string, manifest: string): void {
    mkdirSync(join(folder, name, 'static'), { recursive: true })
    writeFileSync(join(folder, name, 'spin.toml'), manifest)
    writeFileSync(join(folder, name, 'greeter.wasm'), bytesOfFile('examples/hello/hello.wasm'))
    for (let i = 0; i < 5; i++)
      writeFileSync(join(folder, name, 'static', `page-${i}.html`), `<p>${i}</p>`.repeat(100))
  }

  const allowPage = () => ({ cors: { origins: [uploader.origin] } })

  async function choose(name: string): Promise<void> {
    await chooseFolder(page.locator('#folder'), join(folder, name))
  }
  async function pushTo(to: string): Promise<void> {
    await reference().fill(to)
    await page.getByRole('button', { name: 'Push', exact: true }).click()
  }
  const reference = () => page.getByRole('textbox', { name: 'Reference' })
  const focused = () => focusedId(page)

  it('has a sample that goes to the registry in the page, without a network', async () => {
    page = await uploader.open()
    await expectState(page, 'empty')
    await page.locator('body[data-prepared]').waitFor()
    await page.context().setOffline(true)
    await page.getByRole('button', { name: 'Try a sample app' }).click()
    await expectState(page, 'ready', 'ready-demo')
    expect(await reference().inputValue()).toBe('registry.test/hello:1.0.0')
    await page.getByRole('button', { name: 'Push', exact: true }).click()
    await expectState(page, 'done', 'done-demo')
    expect(await focused()).toBe('result-title')
    await page.getByRole('button', { name: 'Copy the reference' }).click()
    await expect
      .poll(() => page.evaluate(() => navigator.clipboard.readText()), { timeout: PATIENCE })
      .toMatch(/^registry\.test\/hello@sha256:[0-9a-f]{64}$/)
    expect([...uploader.asked]).toEqual([new URL(uploader.origin).host])
  })

  it('tells all that is wrong with a manifest, with its places, and takes the mended one', async () => {
    page = await uploader.open()
    await choose('bad')
    await expectState(page, 'invalid')
    expect(await focused()).toBe('findings-title')
    const findings = await page.locator('#finding-list').innerText()
    expect(findings).toMatch(/spin\.toml:\d+:\d+/)
    expect(findings).toContain('gretter')
    expect(findings).toContain('nonsense host')
    expect(await page.locator('#finding-list pre').first().innerText()).toContain('^')
    await choose('good')
    await expectState(page, 'ready')
  })

  it('says what a zip that is none is', async () => {
    page = await uploader.open()
    await page.locator('#files').setInputFiles(join(folder, 'not.zip'))
    await expectState(page, 'invalid', 'invalid-zip')
    expect(await page.locator('#findings-message').innerText()).toMatch(/zip/)
  })

  itInChromium('takes a dropped folder from anywhere in the window', async () => {
    page = await uploader.open()
    await drop(page, join(folder, 'good'))
    await expectState(page, 'ready', 'ready-dropped')
    expect(await page.locator('#app-name').innerText()).toBe('greeter 2.1.0')
  })

  it('checks the reference while it is typed', async () => {
    page = await uploader.open('/?to=ghcr.io%2FTeam%2Fapp%3A1')
    const hint = page.locator('#reference-hint')
    expect(await hint.innerText()).toContain('lower case')
    await reference().fill('ghcr.io/team/app')
    expect(await hint.innerText()).toContain('tag')
    await reference().fill('ghcr.io/team/app:1')
    expect(await hint.innerText()).toBe('Bytes go to https://ghcr.io, and nowhere else.')
  })

  itInChromium(
    'pushes over the network, signed, once the password is right, and keeps what was typed',
    async () => {
      const host = await uploader.serve(
        createRegistryHandler({
          ...allowPage(),
          authorize: createBasicAuthorizer({
            authenticate: (name, password) =>
              name === 'ann' && password === 'right' ? name : undefined,
          }),
        }),
      )
      page = await uploader.open()
      await choose('good')
      await page.getByLabel('User name').fill('ann')
      await page.getByLabel('Password or token').fill('wrong')
      await page.getByLabel('sign it with a key').check()
      await pushTo(`${host}/team/greeter:2`)
      await expectState(page, 'failed', 'failed-login')
      expect(await focused()).toBe('failure-title')
      expect(await page.locator('#failure').innerText()).not.toContain('wrong')
      expect(await page.getByLabel('User name').inputValue()).toBe('ann')
      await page.getByLabel('Password or token').fill('right')
      const download = page.waitForEvent('download')
      await page.getByRole('button', { name: 'Download the public key' }).click()
      const key = readFileSync(await (await download).path(), 'utf8')
      await page.getByRole('button', { name: 'Try again' }).click()
      await expectState(page, 'done')
      expect(page.url()).toBe(`${uploader.origin}/`)
      const credentials = { username: 'ann', password: 'right' }
      const { descriptor } = await verify(
        `${host}/team/greeter:2`,
        { key, requireTransparencyLog: false },
        { credentials },
      )
      expect(await page.locator('#result-list code').first().getAttribute('title')).toBe(
        `${host}/team/greeter@${descriptor.digest}`,
      )
      expect(await page.locator('#call').innerText()).not.toContain('right')
      await page.getByRole('button', { name: 'Push', exact: true }).click()
      await page.getByText('All of it was there already').waitFor()
      await expectState(page, 'done', 'done-again')
    },
  )

  it('explains a registry that does not let pages in, and offers the one in the page', async () => {
    const host = await uploader.serve(createRegistryHandler())
    page = await uploader.open()
    await choose('good')
    await pushTo(`${host}/team/greeter:2`)
    await expectState(page, 'failed', 'failed-cors')
    expect(await page.locator('#cors-headers').innerText()).toContain(
      `Access-Control-Allow-Origin: ${uploader.origin}`,
    )
    await page.getByRole('button', { name: 'Use the demo registry' }).click()
    await expectState(page, 'done', 'done-instead')
    await page.getByLabel('a registry', { exact: true }).check()
    expect(await reference().inputValue()).toBe(`${host}/team/greeter:2`)
  })

  it('goes through the relay when a registry lets no page in', async () => {
    const registry = createRegistryHandler()
    uploader.relayTo(registry)
    const host = await uploader.serve(registry)
    page = await uploader.open()
    await choose('good')
    await pushTo(`${host}/team/greeter:2`)
    await expectState(page, 'failed', 'failed-relay')
    // Here the relay does not know that host; it says so, and what was typed is still there.
    await page.getByRole('button', { name: 'Go through this page’s relay' }).click()
    await page.locator('body[data-state="failed"]').waitFor()
    expect(await page.getByRole('textbox', { name: 'Relay' }).inputValue()).toBe('/relay')
    await page.getByRole('textbox', { name: 'Relay' }).fill('')
    await reference().fill(`${RELAYED_HOST}/team/greeter:2`)
    expect(await page.locator('#reference-hint').innerText()).toContain('through the relay')
    await page.getByRole('button', { name: 'Push', exact: true }).click()
    await expectState(page, 'done', 'done-relay')
    expect(await page.locator('#call').innerText()).toContain(`createRelayFetch('/relay')`)
    await resolve(`${host}/team/greeter:2`)
  })

  it('says what to do when the registry has no room', async () => {
    const registry = createRegistryHandler(allowPage())
    const host = await uploader.serve({
      async fetch(request) {
        if (request.method !== 'PUT') return registry.fetch(request)
        return new Response('{"errors":[{"code":"DENIED","message":"quota exceeded"}]}', {
          status: 413,
          headers: { 'Access-Control-Allow-Origin': uploader.origin },
        })
      },
    })
    page = await uploader.open()
    await choose('good')
    await pushTo(`${host}/team/greeter:2`)
    await expectState(page, 'failed', 'failed-room')
    expect(await page.locator('#failure').innerText()).toMatch(/no room for this.*leave files out/s)
  })

  it('keeps what was typed over a reload, but no secret', async () => {
    page = await uploader.open()
    await reference().fill('ghcr.io/team/app:1')
    await page.getByLabel('User name').fill('ann')
    await page.getByLabel('Password or token').fill('secret')
    await page.reload()
    expect(await reference().inputValue()).toBe('ghcr.io/team/app:1')
    expect(await page.getByLabel('User name').inputValue()).toBe('ann')
    expect(await page.getByLabel('Password or token').inputValue()).toBe('')
    expect(await page.evaluate(() => JSON.stringify({ ...localStorage }))).not.toContain('secret')
  })

  it('goes on from there after the registry was down, and after a cancel', async () => {
    const registry = createRegistryHandler(allowPage())
    const uploads: string[] = []
    let mode: 'down' | 'slow' | 'up' = 'down'
    let cut = (): void => undefined
    const cutOff = new Promise<void>((done) => (cut = done))
    let hung = 0
    const host = await uploader.serve({
      async fetch(request) {
        if (mode === 'down' && request.method !== 'OPTIONS')
          return new Response('{}', {
            status: 503,
            headers: { 'Access-Control-Allow-Origin': uploader.origin, 'Retry-After': '0' },
          })
        if (request.method !== 'PUT' || !request.url.includes('digest='))
          return registry.fetch(request)
        // The component, which is asked for first, gets through; the rest hangs until somebody cancels.
        if (mode === 'slow' && Number(request.headers.get('content-length')) < 10_000) {
          hung++
          await cutOff
        }
        const response = await registry.fetch(request)
        uploads.push(request.url)
        return response
      },
    })
    page = await uploader.open()
    await choose('good')
    await pushTo(`${host}/team/greeter:2`)
    await expectState(page, 'failed', 'failed-down')
    mode = 'slow'
    await page.getByRole('button', { name: 'Try again' }).click()
    await expect
      .poll(() => Math.min(hung, uploads.length), { timeout: PATIENCE })
      .toBeGreaterThan(0)
    await expectState(page, 'pushing')
    expect(await focused()).toBe('cancel')
    await page.keyboard.press('Escape')
    await expectState(page, 'cancelled')
    expect(await focused()).toBe('failure-title')
    const rows = await page.locator('#blobs').innerText()
    expect(rows).toContain('not sent')
    expect(rows).not.toMatch(/sending|waiting/)
    await expect(resolve(`${host}/team/greeter:2`)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    cut()
    mode = 'up'
    await page.getByRole('button', { name: 'Go on from there' }).click()
    await expectState(page, 'done', 'done-resumed')
    expect(await page.locator('#blobs').innerText()).toContain('already there')
    await resolve(`${host}/team/greeter:2`)
  })

  it('can be used from end to end with the keyboard alone', async () => {
    page = await uploader.open()
    const seen: string[] = []
    const tabTo = async (id: string): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        await page.keyboard.press('Tab')
        const at = (await focused()) ?? ''
        seen.push(at)
        if (at === id) return
      }
      throw new Error(`#${id} is not reached: ${seen.join(', ')}`)
    }
    await tabTo('sample')
    expect(seen).toEqual(['to-playground', 'folder', 'files', 'sample'])
    await page.keyboard.press('Enter')
    await page.locator('body[data-state="ready"]').waitFor()
    expect(await focused()).toBe('reference')
    await tabTo('sign')
    await page.keyboard.press('Space')
    await tabTo('push')
    await page.keyboard.press('Enter')
    await page.locator('body[data-state="done"]').waitFor()
    expect(await page.locator('#status').innerText()).toBe('Pushed and signed.')
  })

  it('has targets that a finger finds and reflows on a phone', async () => {
    page = await uploader.open()
    await page.setViewportSize({ width: 320, height: 700 })
    await page.getByRole('button', { name: 'Try a sample app' }).click()
    await page.locator('body[data-state="ready"]').waitFor()
    await page.getByLabel('sign it with a key').check()
    await page.getByRole('button', { name: 'Push', exact: true }).click()
    await page.locator('body[data-state="done"]').waitFor()
    expect(await lookAtLayout(page)).toEqual({ small: [], overflow: 0 })
  })
})
