import { describe, expect, it } from 'vitest'
import { parseBase64 } from '../../src/bytes/base64.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { parseKeyring } from '../../src/bindle/keyring.ts'
import { signatureText, verifyInvoice } from '../../src/bindle/signature.ts'
import type { Invoice } from '../../src/bindle/invoice.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Digest } from '../../src/types.ts'
import { checkPolicy } from '../../src/trust/policy/policy-schema.ts'
import { generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { verifyBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { verify } from '../../src/verbs/verify.ts'
import { compact, namedBlocks, readDocument } from './blocks.ts'

const block = namedBlocks(readDocument('docs/who-is-trusted-when.md'))
const artifact = namedBlocks(readDocument('docs/how-an-application-becomes-an-artifact.md'))
const digest = artifact('digest').trim() as Digest
const key = block('cosign.pub')
const policy = { key, requireTransparencyLog: false } as const

describe('who is trusted when', () => {
  it('shows a bundle that holds, over the statement it shows', async () => {
    const bundle = JSON.parse(block('bundle')) as { dsseEnvelope: { payload: string } }
    const { payload } = bundle.dsseEnvelope
    expect(new TextDecoder().decode(parseBase64(payload))).toBe(compact(block('statement')))
    await expect(verifyBundle(bundle, { digest }, policy)).resolves.toMatchObject({
      format: 'bundle',
    })
  })

  it('which holds for no other digest, under no other key, and not without a log unless told', async () => {
    const bundle = JSON.parse(block('bundle')) as unknown
    const other = await digestOf(encodeUtf8('other'))
    const { publicKey } = await generateKeyPair()
    await expect(verifyBundle(bundle, { digest: other }, policy)).rejects.toThrow()
    await expect(verifyBundle(bundle, { digest }, { ...policy, key: publicKey })).rejects.toThrow()
    await expect(verifyBundle(bundle, { digest }, { key })).rejects.toThrow()
  })

  it('shows a policy file that asks for two signers of three', () => {
    const checked = checkPolicy(JSON.parse(block('policy')), 'file')
    expect(checked).toMatchObject({ kind: 'anyOf', threshold: 2, rules: [{}, {}, {}] })
  })

  it('shows a payload and signature of the older form that hold', async () => {
    const store = createMemoryStore()
    const add = async (bytes: Uint8Array, mediaType: string, tag?: string) => {
      const descriptor = { mediaType, digest: await digestOf(bytes), size: bytes.length }
      await store.push(descriptor, bytes, tag === undefined ? {} : { tag })
      return descriptor
    }
    const image = 'application/vnd.oci.image.manifest.v1+json'
    const subject = await add(encodeUtf8(compact(artifact('manifest'))), image, '1.0.0')
    expect(subject.digest).toBe(digest)
    const layer = await add(
      encodeUtf8(compact(block('payload'))),
      'application/vnd.dev.cosign.simplesigning.v1+json',
    )
    const config = await add(encodeUtf8('{}'), 'application/vnd.oci.image.config.v1+json')
    const annotations = {
      'dev.cosignproject.cosign/signature': block('payload-signature').trim(),
    }
    await add(
      encodeUtf8(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: image,
          config,
          layers: [{ ...layer, annotations }],
        }),
      ),
      image,
      `${digest.replace(':', '-')}.sig`,
    )
    const { descriptor, signatures } = await verify({ store, ref: '1.0.0' }, policy)
    expect(descriptor.digest).toBe(digest)
    expect(signatures[0].format).toBe('legacy')
  })

  it("shows an invoice's signature that holds, over the text it shows", async () => {
    const text = block('invoice-text').trimEnd()
    const [by = '', name = '', version = '', , , ...parcels] = text.split('\n')
    const keyring = parseKeyring(block('keyring'))
    const invoice: Invoice = {
      bindleVersion: '1.0.0',
      bindle: { name, version },
      parcel: parcels.map((sha256) => ({
        label: { sha256, name: sha256, mediaType: 'text/plain', size: 0 },
      })),
      signature: [
        {
          by,
          role: 'creator',
          signature: block('invoice-signature').trim(),
          key: keyring.key[0]!.key,
          at: 0,
        },
      ],
    }
    expect(new TextDecoder().decode(signatureText(invoice, by, 'creator'))).toBe(text)
    await expect(verifyInvoice(invoice, keyring)).resolves.toEqual([
      { by, role: 'creator', key: keyring.key[0]!.key },
    ])
  })
})
