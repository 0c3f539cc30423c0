import { expect, it } from 'vitest'
import { formatInvoice, type Invoice, type InvoiceSignature } from '../../src/bindle/invoice.ts'
import { exportPublicKey, generateSecretKey, openSecretKey } from '../../src/bindle/keyring.ts'
import { signInvoice } from '../../src/bindle/signature.ts'
import { decodeUtf8Lossy } from '../../src/bytes/text.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { pullBindle } from '../../src/verbs/pull-bindle.ts'
import { between, bindleOf, clientOf, toml } from '../bindle/small-bindle.ts'

// A server gives an invoice whose signatures are bent, borrowed or gone, to one who wants them checked.

const entry = await generateSecretKey('Ann', ['creator'])
const [key, keyring] = [
  await openSecretKey(entry),
  { version: '1.0', key: [await exportPublicKey(entry)] },
] as const
const bindle = await bindleOf(['red', 'green'])
const signed = await signInvoice(bindle.invoice, key, { role: 'creator', by: 'Ann' })
const signature = signed.signature![0]!

/** What is asked for, and what becomes of it, when the server gives this invoice. */
async function pulled(invoice: Invoice): Promise<{ code: unknown; parcels: number }> {
  let parcels = 0
  const server = between(createBindleHandler(), ({ url }) => {
    if (url.includes('@')) parcels++
    return url.includes('@') ? undefined : toml(200, decodeUtf8Lossy(formatInvoice(invoice)))
  })
  const from = { client: clientOf(server), id: bindle.id }
  const error: unknown = await pullBindle(from, { verify: { keyring } }).catch((e: unknown) => e)
  return { code: (error as { code?: unknown }).code, parcels }
}

const signedAs = (...signatures: InvoiceSignature[]): Invoice => ({
  ...signed,
  signature: signatures,
})
const SMALL_ORDER = Buffer.from(Uint8Array.of(1, ...new Uint8Array(31))).toString('base64')

it.each<[string, Invoice, string]>([
  ['that is no base64', signedAs({ ...signature, signature: '%%%' }), 'ERR_SIGNATURE_INVALID'],
  ['that is too short', signedAs({ ...signature, signature: 'AAAA' }), 'ERR_SIGNATURE_INVALID'],
  ['of a key that is none', signedAs({ ...signature, key: 'AAAA' }), 'ERR_SIGNATURE_INVALID'],
  [
    'of a key that signs anything',
    signedAs({ ...signature, key: SMALL_ORDER, signature: btoa('\u0001' + '\0'.repeat(63)) }),
    'ERR_SIGNATURE_INVALID',
  ],
  ['of another signer', signedAs({ ...signature, by: 'Eve' }), 'ERR_SIGNATURE_INVALID'],
  ['in another role', signedAs({ ...signature, role: 'host' }), 'ERR_SIGNATURE_INVALID'],
  [
    'of other parcels',
    { ...signed, parcel: [...signed.parcel!].reverse() },
    'ERR_SIGNATURE_INVALID',
  ],
  [
    'that is good beside one that is bad',
    signedAs(signature, { ...signature, by: 'Eve' }),
    'ERR_SIGNATURE_INVALID',
  ],
  ['that is gone', signedAs(), 'ERR_POLICY_REJECTED'],
])('no parcel is asked for under a signature %s', async (_, invoice, code) => {
  expect(await pulled(invoice)).toEqual({ code, parcels: 0 })
})

it('a good one is let past, so that it is the signature that decides', async () => {
  expect(await pulled(signed)).toMatchObject({ code: 'ERR_CONTENT_INVALID' })
})
