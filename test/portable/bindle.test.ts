import { describe, expect, it } from 'vitest'
import { createBindleClient } from '../../src/bindle/client.ts'
import { parseInvoice } from '../../src/bindle/invoice.ts'
import {
  exportPublicKey,
  mergeKeyrings,
  openSecretKey,
  type SecretKeyEntry,
  verifyKeyLabel,
} from '../../src/bindle/keyring.ts'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { signInvoice, verifyInvoice } from '../../src/bindle/signature.ts'
import { parseStandalone } from '../../src/bindle/standalone.ts'
import { formatBase64 } from '../../src/bytes/base64.ts'
import { createEd25519Key, verifyEd25519 } from '../../src/bytes/ed25519.ts'
import { readBounded } from '../../src/bytes/stream.ts'
import { decodeUtf8Lossy, encodeUtf8 } from '../../src/bytes/text.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'

// Keys and signatures that the reference implementation made.
const CREATOR: SecretKeyEntry = {
  label: 'Test Creator <creator@example.com>',
  roles: ['creator'],
  keypair: formatBase64(
    Uint8Array.of(
      ...Array.from({ length: 32 }, (_, at) => 0x20 + at),
      ...Uint8Array.from(atob('Kay64UG8yvCyLhqU000LxzYeUm0L/hLIl5S8kyKWbdc='), (char) =>
        char.charCodeAt(0),
      ),
    ),
  ),
}
const HOST: SecretKeyEntry = {
  label: 'Test Host <host@example.com>',
  roles: ['host'],
  keypair:
    'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA==',
}
const RED = '23f310b54076878fd4c36f0c60ec92011a8b406349b98dd37d08577d17397de5'
const GREEN = '5e244f1c791ee45ec9cc02b281e3b58524e757561e9dc39cdd7ec0f4d328a3d3'
const SIGNED =
  '0QPc/itoEl4hx7/lC+KR2IYOZvKpAjFE4ZWtJsX5DvEkqkCDbSUwxSY09CTLwvpqudtPg4mOlkYReDzDWg5/Dg=='
const COUNTERSIGNED =
  'qYeyMxXdez6PKmkC+AdL/dv92BHe1zB3fA/AI7kq+NcnNTj2rwz5LkcnBTOStE+rLhDEC3ZPO/YVbB+wV2URDw=='

async function signedBindle() {
  const bindle = await parseStandalone(
    new Map([
      [
        'invoice.toml',
        encodeUtf8(`bindleVersion = "1.0.0"
[bindle]
name = "example.com/hello"
version = "1.2.3-rc.1+build.5"
[[parcel]]
label = { name = "red", mediaType = "text/plain", size = 9, sha256 = "${RED}" }
[[parcel]]
label = { name = "green", mediaType = "text/plain", size = 11, sha256 = "${GREEN}" }
`),
      ],
      [`parcels/${RED}.dat`, encodeUtf8('a red one')],
      [`parcels/${GREEN}.dat`, encodeUtf8('a green one')],
    ]),
  )
  const key = await openSecretKey(CREATOR)
  const invoice = await signInvoice(bindle.invoice, key, { role: 'creator', by: CREATOR.label })
  return { ...bindle, invoice }
}

describe('Bindle, in every runtime', () => {
  it('signs as the reference implementation does, bit for bit', async () => {
    const { invoice } = await signedBindle()
    expect(invoice.signature![0]!.signature).toBe(SIGNED)
    const host = await openSecretKey(HOST)
    const both = await signInvoice(invoice, host, { role: 'host', by: HOST.label })
    expect(both.signature![1]!.signature).toBe(COUNTERSIGNED)
    expect(await verifyKeyLabel(await exportPublicKey(CREATOR))).toBe(true)
  })

  it.each(['webcrypto', 'noble'] as const)(
    'has keys of one kind in its own engine and in the library (%s)',
    async (engine) => {
      const seed = Uint8Array.from({ length: 32 }, (_, at) => at)
      const key = await createEd25519Key(seed, { engine }).catch(() => undefined)
      // An engine without the algorithm is what the library is there for.
      if (key === undefined) return expect(engine).toBe('webcrypto')
      const message = encodeUtf8('message')
      const signature = await key.sign(message)
      expect(formatBase64(key.publicKey)).toBe('A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=')
      expect(await verifyEd25519(signature, message, key.publicKey)).toBe(true)
      signature[0]! ^= 1
      expect(await verifyEd25519(signature, message, key.publicKey)).toBe(false)
    },
  )

  it('pushes to a server that knows its signer, which signs too', async () => {
    const keyring = { version: '1.0' as const, key: [await exportPublicKey(CREATOR)] }
    const server = createBindleHandler({ keyring, hostKey: HOST })
    const client = createBindleClient('http://localhost/v1', { fetch: server.fetch, retry: false })
    const bindle = await signedBindle()
    const { invoice, uploaded } = await pushStandalone(client, bindle)
    expect(uploaded).toBe(2)
    expect(invoice.signature!.map(({ role }) => role)).toEqual(['creator', 'host'])
    const known = mergeKeyrings(keyring, await client.keys())
    expect(await verifyInvoice(await client.invoice(bindle.id), known)).toHaveLength(2)
    const label = invoice.parcel![0]!.label
    const parcel = await client.parcel(bindle.id, label)
    expect(decodeUtf8Lossy(await readBounded(parcel, 99, 'red'))).toBe('a red one')
    const { signature: _, ...unsigned } = bindle.invoice
    await expect(
      client.create({ ...unsigned, bindle: { name: 'a', version: '1.0.0' } }),
    ).rejects.toMatchObject({ status: 400, message: expect.stringContaining('No signatures') })
  })

  it('asks, pages and yanks', async () => {
    const client = createBindleClient('http://localhost/v1', {
      fetch: createBindleHandler().fetch,
      retry: false,
    })
    for (const version of ['1.0.0', '1.10.0', '1.2.0'])
      await client.create({ bindleVersion: '1.0.0', bindle: { name: 'a', version } })
    await client.yank('a/1.10.0')
    const versions: string[] = []
    for await (const { bindle } of client.query('a', { version: '^1.0', pageSize: 1 }))
      versions.push(bindle.version)
    expect(versions).toEqual(['1.0.0', '1.2.0'])
  })

  it('refuses a document that would lose digits of a number', () => {
    const invoice = (size: string): string =>
      `bindleVersion = "1.0.0"\nbindle = { name = "a", version = "1.0.0" }\n[[parcel]]\nlabel = { name = "x", mediaType = "text/plain", sha256 = "${RED}", size = ${size} }`
    expect(parseInvoice(invoice('9_007_199_254_740_991')).parcel![0]!.label.size).toBe(2 ** 53 - 1)
    expect(() => parseInvoice(invoice('9007199254740993'))).toThrow(
      expect.objectContaining({ code: 'ERR_CONTENT_INVALID' }),
    )
  })
})
