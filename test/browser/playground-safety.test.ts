import type { FrameLocator, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createBasicAuthorizer } from '../../src/serve/http/basic.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { push } from '../../src/verbs/push.ts'
import { createKeySigner, formatPublicKey, generateKeyPair, sign } from '../../src/verbs/sign.ts'
import {
  executablePath,
  expectState,
  expectText,
  PATIENCE,
  startPages,
  type Pages,
  itInChromium,
} from './pages.ts'
import { createSigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { IDENTITY, ISSUER, keylessSigner } from '../portable/trust-fixture.ts'
import { probeApp, registryWithProbe } from './playground-app.ts'

if (executablePath === undefined)
  console.warn('left out: no Chromium found, so nobody attacks the playground')

describe.skipIf(executablePath === undefined)(
  'the playground, when things go wrong',
  { timeout: 240_000 },
  () => {
    let pages: Pages
    let page: Page

    beforeAll(async () => {
      pages = await startPages()
    }, 120_000)
    afterEach(() => pages.reset())
    afterAll(() => pages?.close())

    const preview = (): FrameLocator => page.frameLocator('iframe[name="spindle-preview"]')
    const shown = () => preview().locator('body')
    async function go(path: string): Promise<void> {
      const address = page.getByRole('textbox', { name: 'Path', exact: true })
      await address.fill(path)
      await address.press('Enter')
    }

    it('gives an application’s page an origin of its own, from which it reaches nothing here', async () => {
      page = await pages.open('/playground/?sample')
      await expectText(shown(), 'It runs.')
      const frame = page.frame({ name: 'spindle-preview' })
      const relay = `${pages.origin}/relay/registry.example/v2/`
      const found = await frame?.evaluate(async (relay) => {
        const attempt = async (work: () => unknown): Promise<string> => {
          try {
            return `did: ${String(await work())}`
          } catch (error) {
            return (error as Error).name
          }
        }
        return {
          page: await attempt(() => parent.document.title),
          kept: await attempt(() => parent.localStorage.length),
          moved: await attempt(() => (top as Window).location.replace('about:blank')),
          caches: await attempt(async () => (await caches.keys()).join()),
          relay: await attempt(async () => (await fetch(relay)).status),
        }
      }, relay)
      expect(found).toEqual({
        page: 'SecurityError',
        kept: 'SecurityError',
        moved: 'SecurityError',
        caches: 'did: spindle-preview',
        relay: 'TypeError',
      })
      expect(new URL(frame?.url() ?? '').origin).not.toBe(pages.origin)
      expect(page.url()).toContain('/playground/')
    })

    it('gives two applications, and two tabs, different origins', async () => {
      const origins = new Set<string>()
      const look = async (at: Page): Promise<void> => {
        await at.locator('body[data-state="running"]').waitFor()
        await expect
          .poll(() => at.frame({ name: 'spindle-preview' })?.url() ?? '', { timeout: PATIENCE })
          .toContain('.spindle.localhost')
        origins.add(new URL(at.frame({ name: 'spindle-preview' })?.url() ?? '').origin)
      }
      page = await pages.open('/playground/?sample')
      await look(page)
      await look(await pages.openBeside(page, '/playground/?sample'))
      const { registry } = await registryWithProbe(pages.origin)
      const host = await pages.serve(registry)
      await look(await pages.openBeside(page, `/playground/?ref=${host}/team/probe:1`))
      expect(origins.size).toBe(3)
    })

    it('takes no order from an application’s page', async () => {
      page = await pages.open('/playground/?sample')
      await expectText(shown(), 'It runs.')
      await page.frame({ name: 'spindle-preview' })?.evaluate(() => {
        const bridge = (parent.frames as unknown as Window[])[0] as Window
        // Same origin: nothing keeps it from trying.
        const { port1, port2 } = new MessageChannel()
        port1.onmessage = () => undefined
        parent.postMessage('here', '*')
        parent.postMessage({ kind: 'request', request: { method: 'GET' } }, '*', [port2])
        bridge.postMessage('hello', '*')
      })
      await go('/hello/you')
      await expectText(shown(), 'Hello, you!')
    })

    itInChromium('goes on after the browser has ended its Service Worker', async () => {
      page = await pages.open('/playground/?sample')
      await expectText(shown(), 'It runs.')
      const frame = page.frame({ name: 'spindle-preview' })
      const browser = await page.context().newCDPSession(page)
      await browser.send('ServiceWorker.enable')
      await browser.send('ServiceWorker.stopAllWorkers')
      await frame?.getByRole('link', { name: 'a page' }).click()
      await expectText(shown(), 'Hello, world!')
    })

    it('needs no registry for what it ran before, by digest', async () => {
      const { registry, digest } = await registryWithProbe(pages.origin)
      let isUp = true
      const host = await pages.serve({
        fetch: async (request) =>
          isUp ? registry.fetch(request) : new Response('down', { status: 503 }),
      })
      page = await pages.open(`/playground/?ref=${host}/team/probe@${digest}&path=/var/word`)
      await expectText(shown(), 'fine')
      await expectText(page.locator('#app-facts'), 'from the registry')
      isUp = false
      await page.reload()
      await expectText(shown(), 'fine')
      await expectText(page.locator('#app-facts'), 'kept in this browser')
      await expectState(page, 'running', 'playground-kept')
    })

    it('opens and runs again when its own server is down', async () => {
      const own = await startPages()
      try {
        page = await own.open('/playground/?sample')
        await expectText(shown(), 'It runs.')
        await page.locator('body[data-prepared]').waitFor()
        await own.stopServing()
        await expect(fetch(`http://127.0.0.1:${new URL(own.origin).port}`)).rejects.toThrow()
        await page.reload()
        await expectText(shown(), 'It runs.')
        await go('/hello/you')
        await expectText(shown(), 'Hello, you!')
      } finally {
        await own.reset()
        await own.close()
      }
    })

    it('does not run what was changed where it is kept', async () => {
      const { registry, digest } = await registryWithProbe(pages.origin)
      const host = await pages.serve(registry)
      page = await pages.open(`/playground/?ref=${host}/team/probe@${digest}&path=/var/word`)
      await expectText(shown(), 'fine')
      const changed = await page.evaluate(async () => {
        const cache = await caches.open('spindle-content')
        for (const request of await cache.keys()) {
          const kept = (await cache.match(request)) as Response
          const bytes = new Uint8Array(await kept.arrayBuffer())
          bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1
          await cache.put(request, new Response(bytes, { headers: kept.headers }))
        }
        return (await cache.keys()).length
      })
      expect(changed).toBeGreaterThan(2)
      await page.reload()
      await expectText(shown(), 'fine')
      await expectText(page.locator('#app-facts'), 'from the registry')
    })

    itInChromium(
      'runs all the same when the browser has no room, and says what that means',
      async () => {
        const { registry } = await registryWithProbe(pages.origin)
        const host = await pages.serve(registry)
        page = await pages.open('/playground/')
        const browser = await page.context().newCDPSession(page)
        await browser.send('Storage.overrideQuotaForOrigin', {
          origin: pages.origin,
          quotaSize: 500,
        })
        await page.getByRole('textbox', { name: 'Reference' }).fill(`${host}/team/probe:1`)
        await page.getByRole('button', { name: 'Open', exact: true }).click()
        await page.locator('body[data-state="running"]').waitFor()
        await expectText(page.locator('#note'), 'no room to keep it')
        await expectState(page, 'running', 'playground-full')
        await go('/var/word')
        await expectText(shown(), 'fine')
      },
    )

    it('asks for a login where one is needed, and runs once it is right', async () => {
      const cors = { origins: [pages.origin] }
      const registry = createRegistryHandler({
        cors,
        authorize: createBasicAuthorizer({
          authenticate: (name, password) =>
            name === 'ann' && password === 'right' ? name : undefined,
        }),
      })
      const host = await pages.serve(registry)
      await push(await probeApp(), `${host}/team/probe:1`, {
        credentials: { username: 'ann', password: 'right' },
      })
      page = await pages.open(`/playground/?ref=${host}/team/probe:1&path=/var/word`)
      await expectState(page, 'failed', 'playground-login')
      await page.getByLabel('User name').fill('ann')
      await page.getByLabel('Password or token').fill('wrong')
      await page.getByRole('button', { name: 'Open', exact: true }).click()
      await expectText(page.locator('#failure-title'), 'refused this login')
      await page.getByLabel('Password or token').fill('right')
      await page.getByRole('button', { name: 'Open it again' }).click()
      await expectText(shown(), 'fine')
      expect(page.url()).not.toContain('right')
      expect(await page.evaluate(() => JSON.stringify({ ...localStorage }))).not.toContain('right')
    })

    it('says so when the registry is down or lets no page in, and goes through the relay', async () => {
      const closed = createRegistryHandler()
      await push(await probeApp(), 'registry.test/team/probe:1', { fetch: closed.fetch })
      const host = await pages.serve(closed)
      page = await pages.open(`/playground/?ref=${host}/team/probe:1&path=/var/word`)
      await expectState(page, 'failed', 'playground-cors')
      await expectText(page.locator('#cors'), 'createRelayHandler')
      pages.relayTo(closed)
      await page.getByRole('textbox', { name: 'Reference' }).fill('registry.example/team/probe:1')
      await expectText(page.locator('#reference-hint'), 'through the relay')
      await page.getByRole('button', { name: 'Open', exact: true }).click()
      await expectText(page.locator('#app-facts'), 'through the relay')
      await expectText(shown(), 'fine')
    })

    it('runs what is signed with the key asked for, and nothing else', async () => {
      const { registry } = await registryWithProbe(pages.origin)
      const host = await pages.serve(registry)
      const [own, other] = [await generateKeyPair(), await generateKeyPair()]
      const link = `/playground/?ref=${host}/team/probe:1&path=/var/word`
      page = await pages.open(link)
      await expectText(shown(), 'fine')
      await page.getByText('Login, relay and signature', { exact: true }).click()
      await page.getByLabel('with a key').check()
      await page.getByLabel('Public key, as PEM').fill(await formatPublicKey(own.publicKey))
      const open = page.getByRole('button', { name: 'Open', exact: true })
      await open.click()
      await expectState(page, 'failed', 'playground-unsigned')
      await expectText(page.locator('#failure-title'), 'not signed as you asked')
      await sign(`${host}/team/probe:1`, await createKeySigner(other))
      await open.click()
      await expectText(page.locator('#failure-message'), /sha256:/)
      await page.locator('body[data-state="failed"]').waitFor()
      await sign(`${host}/team/probe:1`, await createKeySigner(own))
      await open.click()
      await expectState(page, 'running', 'playground-signed')
      await expectText(page.locator('#signed'), 'signed by your key')
      // The key is part of the link: whoever follows it asks for the same signature.
      page = await pages.openBeside(page, page.url().slice(pages.origin.length))
      await expectText(page.locator('#signed'), 'signed by your key')
    })

    it('runs nothing that a key signed when an identity is asked for', async () => {
      const { registry } = await registryWithProbe(pages.origin)
      const host = await pages.serve(registry)
      await sign(`${host}/team/probe:1`, await createKeySigner(await generateKeyPair()))
      const query = new URLSearchParams({
        ref: `${host}/team/probe:1`,
        identity: 'ann@example.com',
        issuer: 'https://issuer.example',
      })
      page = await pages.open(`/playground/?${query}`)
      await expectState(page, 'failed', 'playground-identity')
      await expectText(page.locator('#failure-title'), 'not signed as you asked')
    })

    it('runs what the identity asked for signed without a key, and nothing of another', async () => {
      const sigstore = await createSigstoreInstance()
      const own = await startPages(sigstore.trustedRoot())
      try {
        const { registry } = await registryWithProbe(own.origin)
        const host = await own.serve(registry)
        await sign(`${host}/team/probe:1`, keylessSigner(sigstore))
        const linkFor = (identity: string) =>
          `/playground/?${new URLSearchParams({ ref: `${host}/team/probe:1`, path: '/var/word', identity, issuer: ISSUER })}`
        page = await own.open(linkFor('somebody@else.example'))
        await expectState(page, 'failed', 'playground-other-identity')
        await expectText(page.locator('#failure-title'), 'not signed as you asked')
        page = await own.open(linkFor(IDENTITY))
        await expectText(shown(), 'fine')
        await expectState(page, 'running', 'playground-identified')
        await expectText(page.locator('#signed'), `signed by ${IDENTITY}`)
      } finally {
        await own.reset()
        await own.close()
      }
    })

    it('says what is missing for a reference that leads nowhere', async () => {
      const { registry } = await registryWithProbe(pages.origin)
      const host = await pages.serve(registry)
      page = await pages.open(`/playground/?ref=${host}/team/none:1`)
      await expectState(page, 'failed', 'playground-missing')
      await expectText(page.locator('#failure-title'), 'no such application')
    })
  },
)
