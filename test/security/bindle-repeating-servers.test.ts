import { describe, expect, it } from 'vitest'
import { orderedInvoice, orderedLabel } from '../../src/bindle/invoice.ts'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { formatToml } from '../../src/bytes/toml.ts'
import { decodeUtf8Lossy } from '../../src/bytes/text.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { between, bindleOf, clientOf, toml } from '../bindle/small-bindle.ts'

// A server says the same again and again, to keep a client busy or to have it send what it should not.

const write = (document: Readonly<Record<string, unknown>>): string =>
  decodeUtf8Lossy(formatToml(document))

describe('a server that repeats itself', () => {
  it('gets a parcel once, however often it says that it lacks it', async () => {
    const bindle = await bindleOf(['red'])
    const label = orderedLabel(bindle.invoice.parcel![0]!.label)
    let uploads = 0
    const server = between(createBindleHandler(), (request) => {
      if (request.url.includes('@')) {
        uploads++
        return toml(200, 'message = "parcel created"')
      }
      return request.method === 'POST'
        ? toml(202, write({ invoice: orderedInvoice(bindle.invoice), missing: [label, label] }))
        : toml(200, write({ missing: [label, label, label] }))
    })
    await expect(pushStandalone(clientOf(server), bindle)).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
    })
    expect(uploads).toBe(1)
  })

  it('gets nothing that the invoice does not list', async () => {
    const bindle = await bindleOf(['red'])
    const secret = await bindleOf(['secret'])
    const parcels = new Map([...bindle.parcels, ...secret.parcels])
    const foreign = orderedLabel(secret.invoice.parcel![0]!.label)
    const sent: string[] = []
    const handler = createBindleHandler()
    const server = between(handler, (request) => {
      if (request.url.includes('@')) sent.push(request.url)
      return request.url.includes('_r/missing')
        ? toml(200, write({ missing: [foreign] }))
        : undefined
    })
    await pushStandalone(clientOf(server), { ...bindle, parcels })
    expect(sent).toEqual([expect.stringContaining(bindle.invoice.parcel![0]!.label.sha256)])
  })

  it('is left when its pages have nothing more', async () => {
    let pages = 0
    const server = between(createBindleHandler(), () => {
      pages++
      return toml(
        200,
        'query = ""\nstrict = true\noffset = 0\nlimit = 50\ntotal = 9\nmore = true\nyanked = false\ninvoices = []\n',
      )
    })
    for await (const _ of clientOf(server).query('')) expect.unreachable()
    expect(pages).toBe(1)
  })
})
