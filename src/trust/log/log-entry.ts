/** Compares the body of a log entry with the signature that it is presented for. */
import { parseBase64 } from '../../bytes/base64.ts'
import { sameBytes } from '../../bytes/der.ts'
import { formatHex } from '../../bytes/hex.ts'
import { parseJson } from '../../bytes/json.ts'
import { parsePem } from '../../bytes/pem.ts'
import { decodeUtf8 } from '../../bytes/text.ts'
import { SignatureInvalid } from '../../errors.ts'
import { hashBy, type Covered } from '../keys/hash.ts'
import { spkiOfPkcs1 } from '../keys/public-key.ts'
import { readField, type Field } from '../wire/wire-json.ts'

const OTHER_CONTENT = 'it is for other content'

/** The signature that an entry has to match. */
export interface Signed {
  readonly signature: Uint8Array
  /** The signed content: the artifact, the simple-signing payload, or the DSSE encoding. */
  readonly data: Covered
  /** The DSSE payload; absent for signatures over bare bytes. */
  readonly payload?: Uint8Array
  /** DER of the certificate or of the public key; the entry has to contain one of them. */
  readonly verifiers: readonly Uint8Array[]
}

/**
 * Verifies that a log entry is for this signature.
 * @param body The canonical body, already proven to be in the log.
 * @param kind `kind/version` given by the bundle; absent in legacy signatures.
 * @returns The `kind/version` in the body.
 * @throws `SignatureInvalid` `TLOG_ENTRY_MISMATCH`.
 */
export async function assertEntry(
  body: Uint8Array,
  signed: Signed,
  kind?: string,
): Promise<string> {
  const entry = readField(parseJson(body, 'the log entry'), 'log entry')
  const actual = `${entry.get('kind').string()}/${entry.get('apiVersion').string()}`
  if (kind !== undefined && kind !== actual)
    throw mismatch(`its kind is ${actual}, the bundle has ${kind}`)
  await compare(actual, entry.get('spec'), signed)
  return actual
}

async function compare(kind: string, spec: Field, signed: Signed): Promise<void> {
  switch (kind) {
    case 'hashedrekord/0.0.1': {
      const signature = spec.get('signature')
      // Signatures over bare bytes only: DSSE envelopes have a kind of their own.
      if (signed.payload !== undefined)
        throw mismatch('it is for a signature over bytes, not for a DSSE envelope')
      await assertHash(spec.get('data').get('hash'), signed.data)
      assertSignature(signature.get('content').bytes(), signed)
      return assertPemVerifier(signature.get('publicKey').get('content').bytes(), signed)
    }
    case 'hashedrekord/0.0.2': {
      const record = spec.get('hashedRekordV002')
      const [data, signature] = [record.get('data'), record.get('signature')]
      const verifier = signature.get('verifier')
      const digest = await hashBy(data.get('algorithm').string(), signed.data)
      if (!sameBytes(data.get('digest').bytes(), digest)) throw mismatch(OTHER_CONTENT)
      assertSignature(signature.get('content').bytes(), signed)
      const key = verifier.get('x509Certificate').optional() ?? verifier.get('publicKey')
      return assertVerifier(key.get('rawBytes').bytes(), signed)
    }
    case 'dsse/0.0.1': {
      const signature = onlySignature(spec)
      await assertPayload(spec, signed)
      assertSignature(signature.get('signature').bytes(), signed)
      return assertPemVerifier(signature.get('verifier').bytes(), signed)
    }
    case 'intoto/0.0.2': {
      const content = spec.get('content')
      const signature = onlySignature(content.get('envelope'))
      await assertPayload(content, signed)
      // This kind encodes the signature in base64 twice.
      const logged = parseBase64(decodeUtf8(signature.get('sig').bytes()) ?? '')
      assertSignature(logged ?? new Uint8Array(), signed)
      return assertPemVerifier(signature.get('publicKey').bytes(), signed)
    }
    default:
      throw mismatch(`the entry kind ${kind} is not supported`)
  }
}

function onlySignature(envelope: Field): Field {
  const [signature, surplus] = envelope.get('signatures').list(2)
  if (signature === undefined || surplus !== undefined)
    throw mismatch('it does not have exactly one signature')
  return signature
}

async function assertHash(hash: Field, data: Covered): Promise<void> {
  const actual = formatHex(await hashBy(hash.get('algorithm').string(), data))
  if (hash.get('value').string() !== actual) throw mismatch(OTHER_CONTENT)
}

async function assertPayload(entry: Field, { payload }: Signed): Promise<void> {
  if (payload === undefined)
    throw mismatch('it is for a DSSE envelope, not for a signature over bytes')
  await assertHash(entry.get('payloadHash'), payload)
}

function assertSignature(logged: Uint8Array, signed: Signed): void {
  if (!sameBytes(logged, signed.signature)) throw mismatch('it contains another signature')
}

function assertPemVerifier(pem: Uint8Array, signed: Signed): void {
  const [block, surplus] = parsePem(decodeUtf8(pem) ?? '', "the log entry's key")
  if (surplus !== undefined) throw mismatch('it contains several keys')
  assertVerifier(
    block!.label === 'RSA PUBLIC KEY' ? spkiOfPkcs1(block!.bytes) : block!.bytes,
    signed,
  )
}

function assertVerifier(der: Uint8Array, signed: Signed): void {
  if (!signed.verifiers.some((verifier) => sameBytes(der, verifier)))
    throw mismatch('it contains another key or certificate')
}

function mismatch(why: string): SignatureInvalid {
  return new SignatureInvalid(
    'TLOG_ENTRY_MISMATCH',
    `the log entry does not match the signature: ${why}`,
  )
}
