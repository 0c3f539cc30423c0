import { describe, expect, it } from 'vitest'
import { createBindleClient } from '../../../src/bindle/client.ts'
import { orderedInvoice } from '../../../src/bindle/invoice.ts'
import { formatToml } from '../../../src/bytes/toml.ts'
import { openBindle } from '../../../src/bindle/open-bindle.ts'
import { pushStandalone } from '../../../src/bindle/push-standalone.ts'
import { readBounded } from '../../../src/bytes/stream.ts'
import { decodeUtf8Lossy, encodeUtf8 } from '../../../src/bytes/text.ts'
import { authorizeBindleBasic } from '../../../src/serve/bindle/authorize.ts'
import { createBindleHandler } from '../../../src/serve/bindle/handler.ts'
import type { TransferEvent } from '../../../src/types.ts'
import { between, bindleOf, clientOf, NO_RETRY, SERVER, toml } from '../../bindle/small-bindle.ts'

describe('the Bindle client', () => {
  it('pushes, reads, queries and yanks', async () => {
    const client = clientOf(createBindleHandler())
    const bindle = await bindleOf(['red', 'green', 'red'])
    expect(await pushStandalone(client, bindle)).toMatchObject({ uploaded: 2 })
    expect(await client.missing(bindle.id)).toEqual([])
    const label = bindle.invoice.parcel![0]!.label
    expect(decodeUtf8Lossy(await readBounded(await client.parcel(bindle.id, label), 99, 'x'))).toBe(
      'red',
    )
    const found: string[] = []
    for await (const {
      bindle: { name, version },
    } of client.query('app'))
      found.push(`${name}/${version}`)
    expect(found).toEqual(['team/app/1.0.0'])
    await client.yank(bindle.id)
    await expect(client.invoice(bindle.id)).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining('yanked'),
    })
    expect((await client.invoice(bindle.id, { yanked: true })).yanked).toBe(true)
  })

  it('writes ids literally into URLs, as servers match them', async () => {
    const urls: string[] = []
    const client = clientOf(
      between(createBindleHandler(), (request) => {
        urls.push(request.url)
        return undefined
      }),
    )
    await client.invoice('example.com/a_b/1.0.0-rc.1+q8e').catch(() => {})
    expect(urls).toEqual([`${SERVER}/_i/example.com/a_b/1.0.0-rc.1+q8e`])
  })

  it.each(['a/../b/1.0.0', 'a?x/1.0.0', 'a#x/1.0.0', 'a@x/1.0.0', 'a%2fb/1.0.0', 'a\\b/1.0.0'])(
    'does not ask for %j, which a URL would turn into another id',
    async (id) => {
      await expect(clientOf(createBindleHandler()).invoice(id)).rejects.toMatchObject({
        code: 'ERR_REFERENCE_INVALID',
      })
    },
  )

  it('pages through queries, and stops at a server with endless pages', async () => {
    const handler = createBindleHandler()
    const client = clientOf(handler)
    for (const version of ['1.0.0', '1.1.0', '1.2.0'])
      await pushStandalone(client, await bindleOf([], version))
    const versions: string[] = []
    for await (const invoice of client.query('app', { pageSize: 1 }))
      versions.push(invoice.bindle.version)
    expect(versions).toEqual(['1.0.0', '1.1.0', '1.2.0'])
    const endless = clientOf(
      between(handler, (request) =>
        request.url.includes('_q') ? toml(200, 'more = true\ninvoices = []') : undefined,
      ),
    )
    for await (const _ of endless.query('')) expect.unreachable()
  })

  it('leaves out yanked invoices, which the reference server sends', async () => {
    const client = clientOf(
      between(createBindleHandler(), () =>
        toml(
          200,
          'more = false\n[[invoices]]\nbindleVersion = "1.0.0"\nyanked = true\n[invoices.bindle]\nname = "a"\nversion = "1.0.0"',
        ),
      ),
    )
    for await (const _ of client.query('')) expect.unreachable()
  })

  it('reads anonymously when its login is rejected, and sends it for everything else', async () => {
    const authorize = authorizeBindleBasic((_, password) => password === 'right')
    const handler = createBindleHandler({ authorize })
    await pushStandalone(
      clientOf(handler, { ...NO_RETRY, credentials: { username: 'u', password: 'right' } }),
      await bindleOf(['red']),
    )
    const stale = clientOf(handler, {
      ...NO_RETRY,
      credentials: { username: 'u', password: 'wrong' },
    })
    expect((await stale.invoice('team/app/1.0.0')).bindle.name).toBe('team/app')
    await expect(stale.yank('team/app/1.0.0')).rejects.toMatchObject({ code: 'ERR_UNAUTHORIZED' })
    await expect(clientOf(handler).yank('team/app/1.0.0')).rejects.toMatchObject({
      code: 'ERR_UNAUTHORIZED',
      status: 403,
    })
  })

  it('never shows credentials in an error', async () => {
    const client = clientOf(
      between(createBindleHandler(), () => toml(401, 'error = "unauthorized"')),
      { ...NO_RETRY, credentials: { token: 's3cret' } },
    )
    const error = await client.yank('a/1.0.0').catch((reason: Error) => reason)
    expect(String((error as Error).message)).not.toContain('s3cret')
    expect(() => createBindleClient('http://user:s3cret@localhost/v1')).toThrow(TypeError)
  })

  it.each([
    ['fewer bytes than the label', 're'],
    ['more bytes than the label', 'redder'],
    ['other bytes', 'bad'],
  ])('refuses a parcel with %s', async (_, text) => {
    const bindle = await bindleOf(['red'])
    const client = clientOf(between(createBindleHandler(), () => new Response(text)))
    const stream = await client.parcel(bindle.id, bindle.invoice.parcel![0]!.label)
    await expect(readBounded(stream, 99, 'x')).rejects.toMatchObject({
      code: 'ERR_DIGEST_MISMATCH',
    })
  })

  it.each([
    [
      'is no document',
      () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
      'ERR_CONTENT_INVALID',
    ],
    [
      'never ends',
      () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(1 << 20).fill(0x23)),
          }),
          { headers: { 'content-type': 'application/toml' } },
        ),
      'ERR_LIMIT_EXCEEDED',
    ],
    [
      'has a size above 2^53',
      () =>
        new Response(
          '{"bindleVersion":"1.0.0","bindle":{"name":"a","version":"1.0.0"},"parcel":[{"label":{"sha256":"a","mediaType":"b","name":"c","size":9007199254740993}}]}',
          { headers: { 'content-type': 'application/json' } },
        ),
      'ERR_CONTENT_INVALID',
    ],
    [
      'is an error in plain text',
      () => new Response('Invalid query string', { status: 400 }),
      'ERR_RESPONSE',
    ],
    ['is empty', () => new Response(null, { status: 404 }), 'ERR_NOT_FOUND'],
  ])('rejects with a coded error when the response %s', async (_, answer, code) => {
    await expect(
      clientOf(between(createBindleHandler(), answer)).invoice('a/1.0.0'),
    ).rejects.toMatchObject({ code })
  })

  it('distinguishes versions of servers', async () => {
    expect(await clientOf(createBindleHandler()).generation()).toBe('0.9')
    expect(
      await clientOf(
        between(
          createBindleHandler(),
          () => new Response('OK', { headers: { 'content-type': 'text/plain; charset=utf-8' } }),
        ),
      ).generation(),
    ).toBe('0.8')
  })
})

describe('pushing a bindle', () => {
  it('resumes an earlier push', async () => {
    const handler = createBindleHandler()
    const bindle = await bindleOf(['red', 'green', 'blue'])
    let uploads = 0
    const breaking = between(handler, (request) =>
      request.method === 'POST' && request.url.includes('@') && ++uploads > 1
        ? toml(500, 'error = "gone"')
        : undefined,
    )
    await expect(
      pushStandalone(clientOf(breaking), bindle, { concurrency: 1 }),
    ).rejects.toMatchObject({ status: 500 })
    const events: TransferEvent[] = []
    expect(
      await pushStandalone(clientOf(handler), bindle, {
        onProgress: (event) => events.push(event),
      }),
    ).toMatchObject({ uploaded: 2 })
    expect(events[0]).toEqual({ type: 'plan', blobs: 3, bytes: 12 })
    expect(
      events.filter((event) => event.type === 'blob' && event.status === 'exists'),
    ).toHaveLength(1)
  })

  it('succeeds when the same bindle exists', async () => {
    const client = clientOf(createBindleHandler())
    await pushStandalone(client, await bindleOf(['red']))
    expect(await pushStandalone(client, await bindleOf(['red']))).toMatchObject({ uploaded: 0 })
  })

  it('rejects when another bindle has the id', async () => {
    const client = clientOf(createBindleHandler())
    await pushStandalone(client, await bindleOf(['red']))
    await expect(pushStandalone(client, await bindleOf(['green']))).rejects.toMatchObject({
      code: 'ERR_CONFLICT',
      message: expect.stringContaining('already exists'),
    })
  })

  it('rejects a yanked id', async () => {
    const client = clientOf(createBindleHandler())
    await pushStandalone(client, await bindleOf(['red']))
    await client.yank('team/app/1.0.0')
    await expect(pushStandalone(client, await bindleOf(['red']))).rejects.toMatchObject({
      code: 'ERR_CONFLICT',
      message: expect.stringContaining('yanked'),
    })
  })

  it('reports parcels that an old server cannot store, and fails', async () => {
    const bindle = await bindleOf(['red'])
    const poisoned = between(createBindleHandler(), (request) =>
      request.method === 'POST' && request.url.includes('@')
        ? toml(409, 'error = "resource already exists"')
        : undefined,
    )
    const error = await pushStandalone(clientOf(poisoned), bindle).catch((reason: Error) => reason)
    expect(error).toMatchObject({
      code: 'ERR_CONFLICT',
      message: expect.stringContaining(bindle.invoice.parcel![0]!.label.sha256),
    })
  })

  it('does not treat an invoice as complete if the server reports missing parcels', async () => {
    const handler = createBindleHandler()
    const bindle = await bindleOf(['red', 'green'])
    // Like the reference server, which treats the folder of a failed upload as the parcel.
    const server = between(handler, async (request) => {
      if (request.method !== 'POST') return undefined
      if (request.url.includes('@')) return toml(409, 'error = "resource already exists"')
      await handler.fetch(request)
      return toml(201, decodeUtf8Lossy(formatToml({ invoice: orderedInvoice(bindle.invoice) })))
    })
    await expect(pushStandalone(clientOf(server), bindle)).rejects.toMatchObject({
      code: 'ERR_CONFLICT',
      message: expect.stringContaining('Another version would not help'),
    })
  })

  it('copies from one server to another with bounded memory', async () => {
    const from = clientOf(createBindleHandler())
    const to = clientOf(createBindleHandler())
    const bindle = await bindleOf(['red', 'green'])
    await pushStandalone(from, bindle)
    expect(await pushStandalone(to, await openBindle(from, bindle.id))).toMatchObject({
      uploaded: 2,
      invoice: bindle.invoice,
    })
  })

  it('treats 409 as success when the parcel exists afterwards', async () => {
    const handler = createBindleHandler()
    const raced = between(handler, async (request) => {
      if (request.method !== 'POST' || !request.url.includes('@')) return undefined
      await handler.fetch(request)
      return toml(409, 'error = "resource already exists"')
    })
    expect(await pushStandalone(clientOf(raced), await bindleOf(['red']))).toMatchObject({
      uploaded: 1,
    })
  })

  it('checks what was stored when a response was lost', async () => {
    const handler = createBindleHandler()
    const losing = between(handler, async (request) => {
      if (request.method !== 'POST' || !request.url.includes('@')) return undefined
      await handler.fetch(request)
      throw new TypeError('fetch failed')
    })
    expect(await pushStandalone(clientOf(losing), await bindleOf(['red']))).toMatchObject({
      uploaded: 1,
    })
    const cut = between(createBindleHandler(), (request) => {
      if (request.method === 'POST' && request.url.includes('@'))
        throw new TypeError('fetch failed')
      return undefined
    })
    await expect(pushStandalone(clientOf(cut), await bindleOf(['red']))).rejects.toMatchObject({
      code: 'ERR_NETWORK',
    })
  })

  it('sends nothing of a file that changed after the invoice was created', async () => {
    const bindle = await bindleOf(['red'])
    const [sha256] = bindle.parcels.keys()
    let uploads = 0
    const watched = between(createBindleHandler(), (request) => {
      if (request.url.includes('@')) uploads++
      return undefined
    })
    await expect(
      pushStandalone(clientOf(watched), {
        ...bindle,
        parcels: new Map([[sha256!, encodeUtf8('bad')]]),
      }),
    ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
    expect(uploads).toBe(0)
  })

  it('reports parcels that are missing everywhere', async () => {
    const bindle = await bindleOf(['red'])
    await expect(
      pushStandalone(clientOf(createBindleHandler()), { ...bindle, parcels: new Map() }),
    ).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' })
  })

  it('rejects with the reason itself when aborted', async () => {
    const abort = new AbortController()
    const reason = new Error('enough')
    const aborting = between(createBindleHandler(), (request) => {
      if (request.url.includes('@')) abort.abort(reason)
      return undefined
    })
    await expect(
      pushStandalone(clientOf(aborting), await bindleOf(['red', 'green']), {
        signal: abort.signal,
      }),
    ).rejects.toBe(reason)
  })

  it('limits concurrent parcels', async () => {
    let now = 0
    let most = 0
    const handler = createBindleHandler()
    const counting = between(handler, async (request) => {
      if (!request.url.includes('@')) return undefined
      most = Math.max(most, ++now)
      // Long enough for the others to start.
      await new Promise((resolve) => setTimeout(resolve, 5))
      const response = await handler.fetch(request)
      now--
      return response
    })
    await pushStandalone(
      clientOf(counting),
      await bindleOf(Array.from({ length: 30 }, (_, i) => `parcel ${i}`)),
    )
    expect(most).toBeLessThanOrEqual(6)
    expect(most).toBeGreaterThan(1)
  })
})
