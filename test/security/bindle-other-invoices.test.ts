import { describe, expect, it } from 'vitest'
import { orderedInvoice } from '../../src/bindle/invoice.ts'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { formatToml } from '../../src/bytes/toml.ts'
import { decodeUtf8Lossy } from '../../src/bytes/text.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { pullBindle } from '../../src/verbs/pull-bindle.ts'
import { between, bindleOf, clientOf, toml } from '../bindle/small-bindle.ts'

// A server answers with an invoice that nobody asked for: an old version with a hole, in place of the new one.

const write = (document: Readonly<Record<string, unknown>>): string =>
  decodeUtf8Lossy(formatToml(document))

describe('an invoice that is not the one asked for', () => {
  it('is not read', async () => {
    const old = await bindleOf(['old'], '0.1.0')
    const server = between(createBindleHandler(), (request) =>
      request.method === 'GET' ? toml(200, write(orderedInvoice(old.invoice))) : undefined,
    )
    const client = clientOf(server)
    for (const wrong of [
      client.invoice('team/app/1.0.0'),
      pullBindle({ client, id: 'team/app/1.0.0' }),
    ])
      await expect(wrong).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })

  it('is no answer to a push, which sends no parcel then', async () => {
    const pushed = await bindleOf(['mine'])
    const other = await bindleOf(['other'])
    let uploads = 0
    const server = between(createBindleHandler(), (request) => {
      if (request.url.includes('@')) uploads++
      return request.method === 'POST'
        ? toml(201, write({ invoice: orderedInvoice(other.invoice) }))
        : toml(200, write(orderedInvoice(other.invoice)))
    })
    await expect(pushStandalone(clientOf(server), pushed)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(?:CONFLICT|CONTENT_INVALID)$/),
    })
    expect(uploads).toBe(0)
  })
})
