import { describe, expect, it } from 'vitest'
import { formatBase64, parseBase64 } from '../../src/bytes/base64.ts'
import { createEd25519Key, verifyEd25519 } from '../../src/bytes/ed25519.ts'
import { formatHex } from '../../src/bytes/hex.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import { decodeUtf8 } from '../../src/bytes/text.ts'
import type { Invoice } from '../../src/bindle/invoice.ts'
import { parseInvoice } from '../../src/bindle/invoice.ts'
import {
  exportPublicKey,
  generateSecretKey,
  type Keyring,
  openSecretKey,
  parseKeyring,
  parseSecretKeys,
  type SecretKeys,
  verifyKeyLabel,
} from '../../src/bindle/keyring.ts'
import {
  parseStrategy,
  signatureText,
  signInvoice,
  verifyInvoice,
} from '../../src/bindle/signature.ts'

const CREATOR: SecretKeys = parseSecretKeys(`version = "1.0"
[[key]]
label = "Test Creator <creator@example.com>"
keypair = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8prLrhQbzK8LIuGpTTTQvHNh5SbQv+EsiXlLyTIpZt1w=="
roles = ["creator"]
`)
const HOST: SecretKeys = parseSecretKeys(`version = "1.0"
[[key]]
label = "Test Host <host@example.com>"
keypair = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA=="
roles = ["host"]
`)
const RED = '23f310b54076878fd4c36f0c60ec92011a8b406349b98dd37d08577d17397de5'
const GREEN = '5e244f1c791ee45ec9cc02b281e3b58524e757561e9dc39cdd7ec0f4d328a3d3'

const label = (sha256: string, size: number) => ({
  sha256,
  mediaType: 'text/plain',
  name: sha256.slice(0, 4),
  size,
})
const hello: Invoice = {
  bindleVersion: '1.0.0',
  bindle: { name: 'example.com/hello', version: '1.2.3-rc.1+build.5' },
  parcel: [{ label: label(RED, 9) }, { label: label(GREEN, 11) }],
}
const keyringOf = async (...keys: SecretKeys[]): Promise<Keyring> => ({
  version: '1.0',
  key: await Promise.all(keys.flatMap((file) => file.key).map(exportPublicKey)),
})
const sign = async (
  invoice: Invoice,
  keys: SecretKeys,
  role: 'creator' | 'host' | 'approver' | 'proxy',
) =>
  signInvoice(invoice, await openSecretKey(keys.key[0]!), {
    role,
    by: keys.key[0]!.label,
    at: new Date(0),
  })

describe('the signed text', () => {
  it('has lines for signer, name, version, role and each parcel, and no line feed at its end', () => {
    expect(decodeUtf8(signatureText(hello, 'Ada', 'creator'))).toBe(
      `Ada\nexample.com/hello\n1.2.3-rc.1+build.5\ncreator\n~\n${RED}\n${GREEN}`,
    )
  })

  it.each([
    [
      'valid_v1',
      'enterprise.com/warpcore',
      '1.0.0',
      [RED],
      142,
      'efe69cf75d2dfcf0ed893aef2c252015582ba548a2106e009cd0583e7caeace4',
    ],
  ])('is that of the fixture %s', async (_, name, version, parcels, length, sha256) => {
    const invoice = {
      bindleVersion: '1.0.0',
      bindle: { name, version },
      parcel: parcels.map((sha) => ({ label: label(sha, 1) })),
    }
    const text = signatureText(invoice, 'Starfleet Command <starfleet@ufp.com>', 'creator')
    expect(text.length).toBe(length)
    expect(formatHex(await rawDigestOf(text))).toBe(sha256)
  })
})

describe('signatures', () => {
  it.each(['webcrypto', 'noble'] as const)(
    'come out as recorded, bit for bit (%s)',
    async (engine) => {
      for (const [file, role, recorded] of [
        [
          CREATOR,
          'creator',
          '0QPc/itoEl4hx7/lC+KR2IYOZvKpAjFE4ZWtJsX5DvEkqkCDbSUwxSY09CTLwvpqudtPg4mOlkYReDzDWg5/Dg==',
        ],
        [
          HOST,
          'host',
          'qYeyMxXdez6PKmkC+AdL/dv92BHe1zB3fA/AI7kq+NcnNTj2rwz5LkcnBTOStE+rLhDEC3ZPO/YVbB+wV2URDw==',
        ],
      ] as const) {
        const entry = file.key[0]!
        const key = await createEd25519Key(parseBase64(entry.keypair)!.subarray(0, 32), { engine })
        expect(formatBase64(await key.sign(signatureText(hello, entry.label, role)))).toBe(recorded)
        expect(
          await verifyEd25519(
            parseBase64(recorded)!,
            signatureText(hello, entry.label, role),
            key.publicKey,
            { engine },
          ),
        ).toBe(true)
      }
    },
  )

  it('end with ~ where there are no parcels', async () => {
    const signed = await sign(
      { bindleVersion: '1.0.0', bindle: { name: 'mybindle', version: '0.1.0' } },
      CREATOR,
      'creator',
    )
    expect(signed.signature![0]!.signature).toBe(
      '/lJPM7URMBecm1HpAtljLaNfPolRD+AbPXrNqCM2lvim7XpP9L/6P3Mts7bhpwgP5YCCY/B/1NZTqPn9ox6iAg==',
    )
  })

  it('are refused a second time from one key, in whatever role', async () => {
    const signed = await sign(hello, CREATOR, 'creator')
    await expect(sign(signed, CREATOR, 'approver')).rejects.toMatchObject({ code: 'ERR_CONFLICT' })
  })
})

describe('strict Ed25519', () => {
  it.each(['webcrypto', 'noble'] as const)(
    'refuses small-order keys and points and large scalars (%s)',
    async (engine) => {
      const key = await openSecretKey(CREATOR.key[0]!)
      const message = signatureText(hello, 'x', 'creator')
      const good = await key.sign(message)
      const zero = new Uint8Array(32)
      const one = Uint8Array.of(1, ...new Uint8Array(31))
      const smallR = Uint8Array.from([...one, ...good.subarray(32)])
      const largeS = Uint8Array.from([...good.subarray(0, 32), ...new Uint8Array(32).fill(0xff)])
      expect(await verifyEd25519(good, message, key.publicKey, { engine })).toBe(true)
      expect(await verifyEd25519(good, message, zero, { engine })).toBe(false)
      expect(await verifyEd25519(good, message, one, { engine })).toBe(false)
      expect(await verifyEd25519(smallR, message, key.publicKey, { engine })).toBe(false)
      expect(await verifyEd25519(largeS, message, key.publicKey, { engine })).toBe(false)
      expect(
        await verifyEd25519(Uint8Array.from([...one, ...zero]), message, one, { engine }),
      ).toBe(false)
      expect(await verifyEd25519(good.subarray(1), message, key.publicKey, { engine })).toBe(false)
    },
  )
})

describe('strategies, as the reference server applies them', () => {
  const STRATEGIES = [
    'CreativeIntegrity',
    'AuthoritativeIntegrity',
    'GreedyVerification',
    'ExhaustiveVerification',
    'MultipleAttestation[creator, host]',
    'MultipleAttestationGreedy[host]',
  ] as const
  const outcome = async (invoice: Invoice, keyring: Keyring, strategy: string): Promise<string> => {
    try {
      return (await verifyInvoice(invoice, keyring, { strategy: parseStrategy(strategy) }))
        .map((signer) => signer.role)
        .join('+')
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  it.each([
    [
      'signed by a known creator',
      async () => sign(hello, CREATOR, 'creator'),
      ['creator', 'creator', 'creator', 'creator', 'ERR_POLICY_REJECTED', 'ERR_POLICY_REJECTED'],
    ],
    [
      'signed by creator and host, both known',
      async () => sign(await sign(hello, CREATOR, 'creator'), HOST, 'host'),
      ['creator', 'creator', 'creator+host', 'creator+host', 'creator+host', 'creator+host'],
    ],
    [
      'signed by a known host alone',
      async () => sign(hello, HOST, 'host'),
      [
        'ERR_POLICY_REJECTED',
        'ERR_POLICY_REJECTED',
        'ERR_POLICY_REJECTED',
        'host',
        'ERR_POLICY_REJECTED',
        'host',
      ],
    ],
    [
      'signed with an empty list',
      async () => ({ ...hello, signature: [] }),
      STRATEGIES.map(() => 'ERR_POLICY_REJECTED'),
    ],
  ])('%s', async (_, make, expected) => {
    const keyring = await keyringOf(CREATOR, HOST)
    const invoice = await make()
    expect(
      await Promise.all(STRATEGIES.map((strategy) => outcome(invoice, keyring, strategy))),
    ).toEqual(expected)
  })

  it('refuses a creator that is not in the keyring, and with it what another signed too', async () => {
    const invoice = await sign(await sign(hello, CREATOR, 'creator'), HOST, 'host')
    const keyring = await keyringOf(HOST)
    await expect(verifyInvoice(invoice, keyring)).rejects.toMatchObject({
      code: 'ERR_POLICY_REJECTED',
    })
    await expect(
      verifyInvoice(invoice, keyring, { strategy: { attestations: ['host'], greedy: true } }),
    ).rejects.toMatchObject({ code: 'ERR_POLICY_REJECTED' })
    await expect(
      verifyInvoice(invoice, keyring, { strategy: { attestations: ['host'] } }),
    ).resolves.toMatchObject([{ role: 'host' }])
  })

  it('ignores keyring roles as the server does, and honours them when asked', async () => {
    const host = await keyringOf(HOST)
    const invoice = await sign(hello, HOST, 'creator')
    await expect(verifyInvoice(invoice, host)).resolves.toHaveLength(1)
    await expect(verifyInvoice(invoice, host, { honourRoles: true })).rejects.toMatchObject({
      code: 'ERR_POLICY_REJECTED',
    })
  })

  it('tells a broken signature from an unknown signer', async () => {
    const keyring = await keyringOf(CREATOR)
    const signed = await sign(hello, CREATOR, 'creator')
    const tampered = { ...signed, parcel: [...signed.parcel!].reverse() }
    await expect(verifyInvoice(tampered, keyring)).rejects.toMatchObject({
      code: 'ERR_SIGNATURE_INVALID',
    })
    const corrupt = { ...signed, signature: [{ ...signed.signature![0]!, key: 'AAAA' }] }
    await expect(verifyInvoice(corrupt, keyring)).rejects.toMatchObject({
      code: 'ERR_SIGNATURE_INVALID',
    })
  })

  it('refuses an unsigned invoice unless told otherwise', async () => {
    await expect(verifyInvoice(hello, await keyringOf(CREATOR))).rejects.toMatchObject({
      code: 'ERR_POLICY_REJECTED',
    })
    await expect(
      verifyInvoice(hello, await keyringOf(CREATOR), { allowUnsigned: true }),
    ).resolves.toEqual([])
  })

  it.each(['Nonsense', 'MultipleAttestation[king]', 'MultipleAttestation[host', ''])(
    'has no strategy %j',
    (text) => {
      expect(() => parseStrategy(text)).toThrow(TypeError)
    },
  )
})

describe('keys', () => {
  it('come out of a file, and their label signature holds', async () => {
    const entry = await exportPublicKey(CREATOR.key[0]!)
    expect(entry).toMatchObject({
      key: 'Kay64UG8yvCyLhqU000LxzYeUm0L/hLIl5S8kyKWbdc=',
      labelSignature:
        'hiW2I1dF3Ll/NR/n7Xmopy6p9iNnL4ylRMELtX3Exk2PeuIUbKwQFf4AG2g+N/LbuKOvGyBizEfZCdSacUTjAw==',
    })
    expect(await verifyKeyLabel(entry)).toBe(true)
    expect(await verifyKeyLabel({ ...entry, label: 'Somebody else' })).toBe(false)
  })
  it('are generated so that they open', async () => {
    const entry = await generateSecretKey('Ada', ['creator'])
    expect((await openSecretKey(entry)).publicKey).toHaveLength(32)
  })
  it('whose halves do not fit are refused, without showing them', async () => {
    const entry = { ...CREATOR.key[0]!, keypair: formatBase64(new Uint8Array(64).fill(7)) }
    const error = await openSecretKey(entry).catch((reason: Error) => reason)
    expect(error).toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    expect((error as Error).message).not.toContain(entry.keypair)
  })
  it('never show in the message about a file that does not parse', () => {
    const secret = 'c2VjcmV0c2VjcmV0'
    expect(() => parseSecretKeys(`version = "1.0"\nkeypair = "${secret}`)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(secret) }),
    )
  })
  it.each(['version = "1.0"', 'key = []', 'version = "2.0"\nkey = []'])(
    'keyring %j is refused',
    (text) => {
      expect(() => parseKeyring(text)).toThrow(
        expect.objectContaining({ code: 'ERR_CONTENT_INVALID' }),
      )
    },
  )
})

describe('invoices', () => {
  it.each([
    [
      'an unknown key',
      'bindleVersion = "1.0.0"\nyanked_reason = "x"\n[bindle]\nname = "a"\nversion = "1.0.0"',
      'yanked_reason',
    ],
    [
      'a size above 2^53',
      'bindleVersion = "1.0.0"\n[bindle]\nname = "a"\nversion = "1.0.0"\n[[parcel]]\nlabel = { sha256 = "a", mediaType = "b", name = "c", size = 9007199254740993 }',
      'losslessly',
    ],
    [
      'a version that is none',
      'bindleVersion = "1.0.0"\n[bindle]\nname = "a"\nversion = "1.0"',
      'semantic version',
    ],
    [
      'an annotation that is no string',
      'bindleVersion = "1.0.0"\n[bindle]\nname = "a"\nversion = "1.0.0"\n[annotations]\na = 1',
      'annotations.a',
    ],
  ])('with %s are refused, with the place', (_, text, hint) => {
    expect(() => parseInvoice(text)).toThrow(
      expect.objectContaining({
        code: 'ERR_CONTENT_INVALID',
        message: expect.stringContaining(hint),
      }),
    )
  })
})
