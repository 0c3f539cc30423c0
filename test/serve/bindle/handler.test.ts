import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../../src/bytes/text.ts'
import { formatInvoice, type Invoice, type Label } from '../../../src/bindle/invoice.ts'
import {
  type BindleHandlerOptions,
  createBindleHandler,
} from '../../../src/serve/bindle/handler.ts'
import { freshStorage } from '../storage/fresh.ts'

const BASE = 'http://bindle.test/v1'

async function labelOf(text: string, more: Partial<Label> = {}): Promise<Label> {
  const bytes = encodeUtf8(text)
  return {
    sha256: hexOf(await digestOf(bytes)),
    mediaType: 'text/plain',
    name: `${text}.txt`,
    size: bytes.length,
    ...more,
  }
}
const invoiceOf = (version: string, labels: readonly Label[], name = 'team/app'): Invoice => ({
  bindleVersion: '1.0.0',
  bindle: { name, version },
  parcel: labels.map((label) => ({ label })),
})
function client(options: BindleHandlerOptions = {}) {
  const handler = createBindleHandler({ storage: freshStorage(), ...options })
  return (
    method: string,
    path: string,
    body?: BodyInit,
    headers: Record<string, string> = {},
  ): Promise<Response> =>
    handler.fetch(
      new Request(`${BASE}${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body, duplex: 'half' }),
      } as RequestInit),
    )
}
const post = (ask: ReturnType<typeof client>, invoice: Invoice): Promise<Response> =>
  ask('POST', '/_i', formatInvoice(invoice), { 'content-type': 'application/toml' })

describe('the Bindle server', () => {
  it('accepts unsigned invoices, as sent by Spin, without a keyring', async () => {
    const ask = client()
    const red = await labelOf('red')
    expect((await post(ask, invoiceOf('1.0.0', [red]))).status).toBe(202)
    expect((await ask('POST', `/_i/team/app/1.0.0@${red.sha256}`, 'red')).status).toBe(200)
    expect(await (await ask('GET', `/_i/team/app/1.0.0@${red.sha256}`)).text()).toBe('red')
    expect((await post(ask, invoiceOf('1.0.1', [red]))).status).toBe(201)
  })

  it('accepts a parcel after mismatching or interrupted uploads, which leave nothing behind', async () => {
    const ask = client()
    const red = await labelOf('red')
    await post(ask, invoiceOf('1.0.0', [red]))
    const path = `/_i/team/app/1.0.0@${red.sha256}`
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(encodeUtf8('re'))
        controller.error(new Error('gone'))
      },
    })
    for (const [body, status] of [
      ['rex', 400],
      ['re', 400],
      ['reddish', 400],
      [broken, 400],
    ] as const) {
      expect((await ask('POST', path, body)).status).toBe(status)
      expect((await ask('GET', path)).status).toBe(404)
    }
    expect((await ask('POST', path, 'red')).status).toBe(200)
  })

  it('creates an invoice once under concurrent requests', async () => {
    const ask = client()
    const statuses = await Promise.all(
      Array.from({ length: 8 }, async () => (await post(ask, invoiceOf('1.0.0', []))).status),
    )
    expect(statuses.sort()).toEqual([201, ...Array<number>(7).fill(409)])
  })

  it('stores a parcel once under concurrent requests', async () => {
    const ask = client()
    const red = await labelOf('red')
    await post(ask, invoiceOf('1.0.0', [red]))
    const statuses = await Promise.all(
      Array.from(
        { length: 4 },
        async () => (await ask('POST', `/_i/team/app/1.0.0@${red.sha256}`, 'red')).status,
      ),
    )
    expect(statuses.sort()).toEqual([200, 409, 409, 409])
  })

  it('shares parcels between two servers with one storage', async () => {
    const storage = freshStorage()
    const [one, two] = [client({ storage }), client({ storage })]
    const red = await labelOf('red')
    await post(one, invoiceOf('1.0.0', [red]))
    await one('POST', `/_i/team/app/1.0.0@${red.sha256}`, 'red')
    expect(await (await two('GET', `/_i/team/app/1.0.0@${red.sha256}`)).text()).toBe('red')
  })

  it('hides a yanked invoice and its parcels permanently', async () => {
    const ask = client()
    const red = await labelOf('red')
    await post(ask, invoiceOf('1.0.0', [red]))
    await ask('POST', `/_i/team/app/1.0.0@${red.sha256}`, 'red')
    expect((await ask('DELETE', '/_i/team/app/1.0.0')).status).toBe(200)
    expect((await ask('GET', `/_i/team/app/1.0.0@${red.sha256}`)).status).toBe(403)
    expect((await post(ask, invoiceOf('1.0.0', [red]))).status).toBe(409)
    const found = async (query: string) =>
      (
        (await (
          await ask('GET', `/_q${query}`, undefined, { accept: 'application/json' })
        ).json()) as { total: number }
      ).total
    expect(await found('?q=team')).toBe(0)
    expect(await found('?q=team&yanked=true')).toBe(1)
  })

  it('sorts by semantic version and pages through the results', async () => {
    const ask = client()
    for (const version of ['1.10.0', '1.2.0', '1.9.0']) await post(ask, invoiceOf(version, []))
    const page = async (query: string) =>
      (await (
        await ask('GET', `/_q?${query}`, undefined, { accept: 'application/json' })
      ).json()) as { invoices: Invoice[]; more: boolean }
    expect((await page('q=app')).invoices.map((entry) => entry.bindle.version)).toEqual([
      '1.2.0',
      '1.9.0',
      '1.10.0',
    ])
    expect(await page('q=app&l=2')).toMatchObject({ more: true })
    expect((await page('q=app&l=2&o=2')).invoices.map((entry) => entry.bindle.version)).toEqual([
      '1.10.0',
    ])
    expect(await page('l=0')).toMatchObject({ invoices: [], more: true })
  })

  it.each(['a@b', '', '..', 'a/../b', 'a//b', 'a\nb'])(
    'rejects the name %j, which cannot be used in a URL',
    async (name) => {
      expect((await post(client(), invoiceOf('1.0.0', [], name))).status).toBe(400)
    },
  )

  it.each(['a b', 'käse', '__proto__', 'constructor', 'a?b', 'a#b', 'a%2Fb'])(
    'finds the name %j again',
    async (name) => {
      const ask = client()
      expect((await post(ask, invoiceOf('1.0.0', [], name))).status).toBe(201)
      const path = name.split('/').map(encodeURIComponent).join('/')
      expect((await ask('GET', `/_i/${path}/1.0.0`)).status).toBe(200)
    },
  )

  it('rejects media types that are invalid header values, and invalid digests', async () => {
    expect(
      (
        await post(
          client(),
          invoiceOf('1.0.0', [await labelOf('x', { mediaType: 'a/b\r\nset-cookie: x' })]),
        )
      ).status,
    ).toBe(400)
    expect(
      (await post(client(), invoiceOf('1.0.0', [await labelOf('x', { sha256: '../../etc' })])))
        .status,
    ).toBe(400)
  })

  it('serves parcels so that browsers do not render them', async () => {
    const ask = client()
    const page = await labelOf('<script>1</script>', { mediaType: 'text/html' })
    await post(ask, invoiceOf('1.0.0', [page]))
    await ask('POST', `/_i/team/app/1.0.0@${page.sha256}`, '<script>1</script>')
    const { headers } = await ask('GET', `/_i/team/app/1.0.0@${page.sha256}`)
    expect(headers.get('content-security-policy')).toBe('sandbox')
    expect(headers.get('content-disposition')).toBe('attachment')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('limits the size of invoices and parcels', async () => {
    const ask = client({ maxParcelBytes: 4 })
    const large = await labelOf('large')
    await post(ask, invoiceOf('1.0.0', [large]))
    expect((await ask('POST', `/_i/team/app/1.0.0@${large.sha256}`, 'large')).status).toBe(413)
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1 << 20).fill(0x23)),
    })
    expect((await ask('POST', '/_i', endless, { 'content-type': 'application/toml' })).status).toBe(
      413,
    )
  })

  it('rejects writes when it is read-only', async () => {
    const storage = freshStorage()
    await post(client({ storage }), invoiceOf('1.0.0', []))
    const ask = client({ storage, readOnly: true })
    expect((await ask('GET', '/_i/team/app/1.0.0')).status).toBe(200)
    expect((await ask('DELETE', '/_i/team/app/1.0.0')).status).toBe(403)
    expect((await post(ask, invoiceOf('2.0.0', []))).status).toBe(403)
  })

  it('answers preflights of allowed origins before authentication', async () => {
    const ask = client({ cors: { origins: ['https://app.example'] }, authorize: () => false })
    const preflight = (origin: string) =>
      ask('OPTIONS', '/_i', undefined, { origin, 'access-control-request-method': 'POST' })
    expect(
      (await preflight('https://app.example')).headers.get('access-control-allow-origin'),
    ).toBe('https://app.example')
    expect(
      (await preflight('https://evil.example')).headers.get('access-control-allow-origin'),
    ).toBeNull()
    const refused = await ask('GET', '/_q', undefined, { origin: 'https://app.example' })
    expect(refused.status).toBe(403)
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://app.example')
  })

  it('calls the hook with the access that a request needs', async () => {
    const seen: unknown[] = []
    const ask = client({ authorize: (_, access) => (seen.push(access), true) })
    await ask('GET', '/_i/team/app/1.0.0')
    await ask('DELETE', '/_i/team/app/1.0.0')
    await post(ask, invoiceOf('1.0.0', []))
    expect(seen).toEqual([
      { action: 'read', id: 'team/app/1.0.0' },
      { action: 'yank', id: 'team/app/1.0.0' },
      { action: 'push' },
      { action: 'push', id: 'team/app/1.0.0' },
    ])
  })
})
