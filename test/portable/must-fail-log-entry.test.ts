// The cases of the specification that a verifier must refuse, by their numbers: entries of a log about something else.
import { beforeAll, describe, expect, it } from 'vitest'
import { formatBase64, parseBase64 } from '../../src/bytes/base64.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import { formatHex } from '../../src/bytes/hex.ts'
import { formatCanonicalJson } from '../../src/bytes/json.ts'
import { formatPem } from '../../src/bytes/pem.ts'
import { decodeUtf8, encodeUtf8 } from '../../src/bytes/text.ts'
import { preAuthEncoding } from '../../src/trust/bundle/dsse.ts'
import { assertEntry } from '../../src/trust/log/log-entry.ts'
import { entry } from './edited-bundles.ts'
import { type Json, type Keyless, signKeyless } from './trust-fixture.ts'

let v1: Keyless
beforeAll(async () => {
  v1 = await signKeyless()
})
const decode = (text: string): Json => JSON.parse(decodeUtf8(parseBase64(text)!)!)
const encode = (value: unknown): string => formatBase64(encodeUtf8(JSON.stringify(value)))

describe('a log entry is refused', () => {
  // The log is made to log something else, and signs it properly.
  it.each<[string, (body: Json) => unknown]>([
    ['58: with another payload hash', (body) => (body.spec.payloadHash.value = '0'.repeat(64))],
    [
      '20: with another signature',
      (body) => (body.spec.signatures[0].signature = formatBase64(encodeUtf8('another'))),
    ],
    ['59: with another certificate', (body) => (body.spec.signatures[0].verifier = encode('x'))],
    ['57: of an unknown kind', (body) => (body.kind = 'rekord')],
  ])('%s', async (_, edit) => {
    const bundle = v1.bundle()
    const body = decode(entry(bundle).canonicalizedBody)
    edit(body)
    const payload = parseBase64(bundle.dsseEnvelope.payload)!
    const signed = {
      signature: parseBase64(bundle.dsseEnvelope.signatures[0].sig)!,
      data: preAuthEncoding(bundle.dsseEnvelope.payloadType, payload),
      payload,
      verifiers: [parseBase64(bundle.verificationMaterial.certificate.rawBytes)!],
    }
    await assertEntry(parseBase64(entry(bundle).canonicalizedBody)!, signed)
    const verdict = assertEntry(formatCanonicalJson(body), signed)
    await expect(verdict).rejects.toMatchObject({
      code: expect.stringMatching(/ERR_(SIGNATURE|CONTENT)_INVALID/),
    })
  })
})

describe('a log entry of bytes is refused', () => {
  const data = encodeUtf8('the bytes that were signed')
  const signature = encodeUtf8('what was signed')
  const verifier = Uint8Array.of(0x30, 0)
  const pem = (der: Uint8Array) => encodeUtf8(formatPem('PUBLIC KEY', der))
  const older = async (): Promise<Json> => ({
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm: 'sha256', value: formatHex(await rawDigestOf(data)) } },
      signature: {
        content: formatBase64(signature),
        publicKey: { content: formatBase64(pem(verifier)) },
      },
    },
  })
  const newer = async (): Promise<Json> => ({
    apiVersion: '0.0.2',
    kind: 'hashedrekord',
    spec: {
      hashedRekordV002: {
        data: { algorithm: 'SHA2_256', digest: formatBase64(await rawDigestOf(data)) },
        signature: {
          content: formatBase64(signature),
          verifier: {
            publicKey: { rawBytes: formatBase64(verifier) },
            keyDetails: 'PKIX_ECDSA_P256_SHA_256',
          },
        },
      },
    },
  })
  const other = formatBase64(encodeUtf8('other'))
  const otherKey = Uint8Array.of(0x30, 1, 5)

  it.each<[string, () => Promise<Json>, (spec: Json) => unknown]>([
    ['19: with another payload', older, (s) => (s.data.hash.value = '0'.repeat(64))],
    ['20: with another signature', older, (s) => (s.signature.content = other)],
    [
      '21: with another key',
      older,
      (s) => (s.signature.publicKey.content = formatBase64(pem(otherKey))),
    ],
    [
      '58: with another digest, in a log of version 2',
      newer,
      (s) => (s.hashedRekordV002.data.digest = other),
    ],
    [
      '20: with another signature, in a log of version 2',
      newer,
      (s) => (s.hashedRekordV002.signature.content = other),
    ],
    [
      '21: with another key, in a log of version 2',
      newer,
      (s) => (s.hashedRekordV002.signature.verifier.publicKey.rawBytes = formatBase64(otherKey)),
    ],
  ])('%s', async (_, make, edit) => {
    const signed = { signature, data, verifiers: [verifier] }
    const body = await make()
    await assertEntry(formatCanonicalJson(body), signed)
    edit(body.spec)
    await expect(assertEntry(formatCanonicalJson(body), signed)).rejects.toMatchObject({
      reason: 'TLOG_ENTRY_MISMATCH',
    })
  })
})
