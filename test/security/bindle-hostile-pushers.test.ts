import { describe, expect, it } from 'vitest'
import { cpuTime } from '../fixtures/cpu-time.ts'
import { createBindleClient } from '../../src/bindle/client.ts'
import { type Invoice, parseInvoice } from '../../src/bindle/invoice.ts'
import { documentBytes } from '../../src/bytes/document-limits.ts'
import { exportPublicKey, generateSecretKey, openSecretKey } from '../../src/bindle/keyring.ts'
import { signInvoice, verifyInvoice } from '../../src/bindle/signature.ts'
import { collectBindleGarbage } from '../../src/serve/bindle/collect-parcels.ts'
import { type BindleHandlerOptions, createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { NO_RETRY, SERVER } from '../bindle/small-bindle.ts'

// Who may push one bindle wants more: the server's time, its queries and collections, others' names.

const entry = await generateSecretKey('Ann', ['approver'])
const key = await openSecretKey(entry)
const keyring = { version: '1.0', key: [await exportPublicKey(entry)] } as const
const invoiceOf = (name: string): Invoice => ({
  bindleVersion: '1.0.0',
  bindle: { name, version: '1.0.0' },
})

function setUp(options: BindleHandlerOptions = {}) {
  const storage = createMemoryStorage()
  const handler = createBindleHandler({ storage, ...options })
  const client = createBindleClient(SERVER, { ...NO_RETRY, fetch: handler.fetch })
  const post = async (text: string, type = 'application/json'): Promise<number> =>
    (
      await handler.fetch(
        new Request(`${SERVER}/_i`, {
          method: 'POST',
          body: text,
          headers: { 'content-type': type },
        }),
      )
    ).status
  return { storage, client, post }
}

describe('an invoice that could not be read again once it is stored', () => {
  it.each([
    ['as it is longer in TOML', `{"x":"${'\x7f'.repeat(4_000_000)}"}`, 413],
    ['as two of its keys are one in UTF-8', '{"\\ud800":"a","\\ud801":"b"}', 400],
  ])('is refused, %s', async (_, annotations, status) => {
    const { storage, client, post } = setUp()
    const bindle = JSON.stringify(invoiceOf('team/bomb').bindle)
    const json = `{"bindleVersion":"1.0.0","bindle":${bindle},"annotations":${annotations}}`
    expect(json.length).toBeLessThan(documentBytes())
    expect(await post(json)).toBe(status)
    await client.create(invoiceOf('team/app'))
    for await (const { bindle: found } of client.query('')) expect(found.name).toBe('team/app')
    expect(await collectBindleGarbage(storage)).toEqual({ parcels: 0, bytes: 0 })
  })

  it('is filed under the name that it has then', async () => {
    const { client, post } = setUp()
    expect(
      await post('{"bindleVersion":"1.0.0","bindle":{"name":"team/\\ud800","version":"1.0.0"}}'),
    ).toBe(201)
    expect((await client.invoice('team/\ufffd/1.0.0')).bindle.name).toBe('team/\ufffd')
  })
})

describe('an invoice that costs time', () => {
  it('by its signatures is refused before one of them is verified', async () => {
    const signed = await signInvoice(invoiceOf('team/app'), key, { role: 'creator', by: 'Ann' })
    const many = (count: number): Invoice => ({
      ...signed,
      signature: Array<NonNullable<Invoice['signature']>[0]>(count).fill(signed.signature![0]!),
    })
    expect(await verifyInvoice(many(100), keyring)).toHaveLength(100)
    await expect(verifyInvoice(many(101), keyring)).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
    const { post } = setUp()
    expect(await post(JSON.stringify(many(101)))).toBe(400)
    expect(await post(JSON.stringify(many(100)))).toBe(201)
  })

  it('by the digits of its version is refused without counting them', () => {
    const text = `bindleVersion="1.0.0"\n[bindle]\nname="a"\nversion="${'1'.repeat(8_000_000)}.0.0"`
    const before = cpuTime()
    expect(() => parseInvoice(text)).toThrow(
      expect.objectContaining({ code: 'ERR_CONTENT_INVALID' }),
    )
    expect(cpuTime() - before).toBeLessThan(500)
  })
})

it('what is wrong is not all said back, however long it is', async () => {
  const handler = createBindleHandler()
  for (const body of [`${'x'.repeat(4_000_000)} = 1`, `x = "${'y'.repeat(4_000_000)}`]) {
    const init = { method: 'POST', body, headers: { 'content-type': 'application/toml' } }
    const response = await handler.fetch(new Request(`${SERVER}/_i`, init))
    expect(response.status).toBe(400)
    expect((await response.text()).length).toBeLessThan(10_000)
  }
})

describe('who may push below one name', () => {
  it('creates nothing elsewhere: the hook is asked again once the invoice has said its id', async () => {
    const { client } = setUp({
      authorize: (_, { action, id }) =>
        action === 'read' || id === undefined || id.startsWith('team/'),
    })
    await client.create(invoiceOf('team/app'))
    await expect(client.create(invoiceOf('others/app'))).rejects.toMatchObject({
      code: 'ERR_UNAUTHORIZED',
    })
    await expect(client.invoice('others/app/1.0.0')).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
    })
  })

  it('signs in the roles that the keyring gives, where the operator wants that', async () => {
    const signed = await signInvoice(invoiceOf('team/app'), key, { role: 'creator', by: 'Ann' })
    await expect(setUp({ keyring, honourRoles: true }).client.create(signed)).rejects.toThrow(
      'not in the keyring as creator',
    )
    // As the reference server does.
    await setUp({ keyring }).client.create(signed)
  })
})
