import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseInvoice } from '../../src/bindle/invoice.ts'
import { parseKeyring, parseSecretKeys } from '../../src/bindle/keyring.ts'
import { isSpindleError } from '../../src/errors.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { clientOf } from '../bindle/small-bindle.ts'

// A document of a server or a stranger is broken, endless, deep, or means to be more than data.

const INVOICE = `bindleVersion = "1.0.0"
[bindle]
name = "team/app"
version = "1.0.0"
[[parcel]]
[parcel.label]
sha256 = "${'a'.repeat(64)}"
mediaType = "text/plain"
name = "a"
size = 1
`

describe('an invoice', () => {
  it.each([
    ['that is cut off', INVOICE.slice(0, 60)],
    ['with an unknown key', INVOICE.replace('size = 1', 'size = 1\nsha512 = "x"')],
    ['with a key twice', INVOICE.replace('size = 1', 'size = 1\nsize = 1')],
    ['with a size that loses digits', INVOICE.replace('size = 1', 'size = 9007199254740993')],
    ['with a size below nothing', INVOICE.replace('size = 1', 'size = -1')],
    ['with a size that is none', INVOICE.replace('size = 1', 'size = nan')],
    ['with half a size', INVOICE.replace('size = 1', 'size = 1.5')],
    ['with a list for a table', INVOICE.replace('[bindle]', '[[bindle]]')],
    ['with a version that is none', INVOICE.replace('"1.0.0"\n[[', '"1.0"\n[[')],
    ['without a name', INVOICE.replace('name = "team/app"\n', '')],
    ['with an annotation that is no text', `${INVOICE}[annotations]\na = 1\n`],
    [
      'with a role that there is not',
      `${INVOICE}[[signature]]\nby = "a"\nsignature = "b"\nkey = "c"\nrole = "Creator"\nat = 1\n`,
    ],
    ['that is no text', Uint8Array.of(0xff, 0xfe)],
  ])('%s is refused with its place', (_, source) => {
    expect(() => parseInvoice(source)).toThrow(
      expect.objectContaining({ code: 'ERR_CONTENT_INVALID' }),
    )
  })

  it('keeps names of prototypes as the data that they are', () => {
    const text = `${INVOICE}[annotations]\n__proto__ = "a"\nconstructor = "b"\n`
    const { annotations } = parseInvoice(text)
    expect(Object.entries(annotations ?? {})).toContainEqual(['constructor', 'b'])
    expect(({} as { a?: string }).a).toBeUndefined()
    expect(Object.prototype).not.toHaveProperty('polluted')
  })

  it('of any bytes is read or refused, and never does anything else', () => {
    const readers = [parseInvoice, parseKeyring, parseSecretKeys]
    const damaged = fc
      .tuple(fc.nat(INVOICE.length), fc.nat(20), fc.string({ unit: 'binary', maxLength: 20 }))
      .map(([at, cut, text]) => INVOICE.slice(0, at) + text + INVOICE.slice(at + cut))
    fc.assert(
      fc.property(fc.oneof(damaged, fc.string({ unit: 'binary' })), (text) => {
        for (const read of readers) {
          try {
            read(text)
          } catch (error) {
            if (!isSpindleError(error)) throw error
          }
        }
      }),
    )
  })
})

describe('an answer', () => {
  it.each([
    ['that is a page', 'text/html', '<h1>hello</h1>', 'ERR_CONTENT_INVALID'],
    ['that is no TOML', 'application/toml', 'x =', 'ERR_CONTENT_INVALID'],
    ['that is no JSON', 'application/json', '{', 'ERR_CONTENT_INVALID'],
    ['that is a list', 'application/json', '[]', 'ERR_CONTENT_INVALID'],
    ['that is nothing', 'application/json', 'null', 'ERR_CONTENT_INVALID'],
    ['without end', 'application/toml', undefined, 'ERR_LIMIT_EXCEEDED'],
  ])('%s is a coded error', async (_, type, body, code) => {
    const endless = (): ReadableStream<Uint8Array> =>
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1 << 20)) })
    const client = clientOf({
      fetch: async () => new Response(body ?? endless(), { headers: { 'content-type': type } }),
    })
    await expect(client.invoice('team/app/1.0.0')).rejects.toMatchObject({ code })
  })
})

describe('what is posted to the server', () => {
  it.each([
    ['a broken invoice', '_i', 'x ='],
    ['an id that leads out', '_i/..%2f..%2fetc/1.0.0', ''],
    ['a digest that is a path', '_i/team/app/1.0.0@../../etc/passwd', 'x'],
    ['a name of dots', '_i', INVOICE.replace('team/app', '../../etc')],
    ['a digest that is none', '_i', INVOICE.replace('a'.repeat(64), '../../etc/passwd')],
    ['a media type that breaks out', '_i', INVOICE.replace('text/plain', 'a\\r\\nset-cookie: b')],
  ])('is refused: %s', async (_, path, body) => {
    const handler = createBindleHandler()
    const response = await handler.fetch(
      new Request(`http://localhost/v1/${path}`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/toml' },
      }),
    )
    expect([400, 404]).toContain(response.status)
    const all = await handler.fetch(new Request('http://localhost/v1/_q'))
    expect(await all.text()).toContain('total = 0')
  })
})
