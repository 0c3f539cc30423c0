/** What a transparency log says was signed, compared with what is at hand. */
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

const OTHER_CONTENT = 'it is of other content'

/** The facts that an entry has to agree with. */
export interface Signed {
  readonly signature: Uint8Array
  /** What the signature covers: the artifact, the simple-signing payload, or the DSSE encoding. */
  readonly data: Covered
  /** The DSSE payload; absent for signatures over the bytes themselves. */
  readonly payload?: Uint8Array
  /** DER of the certificate, or of the public key; one of them is in the log. */
  readonly verifiers: readonly Uint8Array[]
}

/**
 * @param body The canonical body that the log signed or that its tree holds.
 * @param kind As the bundle says, `kind/version`; absent where nobody says.
 * @throws `SignatureInvalid` `TLOG_ENTRY_MISMATCH`.
 */
export async function assertEntry(
  body: Uint8Array,
  signed: Signed,
  kind?: string,
): Promise<string> {
  const entry = readField(parseJson(body, 'the log entry'), 'log entry')
  const actual = `${entry.get('kind').string()}/${entry.get('apiVersion').string()}`
  if (kind !== undefined && kind !== actual) throw mismatch(`it is ${actual}, not ${kind}`)
  await compare(actual, entry.get('spec'), signed)
  return actual
}

async function compare(kind: string, spec: Field, signed: Signed): Promise<void> {
  switch (kind) {
    case 'hashedrekord/0.0.1': {
      const signature = spec.get('signature')
      // A DSSE envelope is logged under its own kind; by this one only bytes are.
      if (signed.payload !== undefined) throw mismatch('it is of bytes')
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
      // This kind encodes the signature twice.
      const logged = parseBase64(decodeUtf8(signature.get('sig').bytes()) ?? '')
      assertSignature(logged ?? new Uint8Array(), signed)
      return assertPemVerifier(signature.get('publicKey').bytes(), signed)
    }
    default:
      throw mismatch(`${kind} is not supported`)
  }
}

function onlySignature(envelope: Field): Field {
  const [signature, surplus] = envelope.get('signatures').list(2)
  if (signature === undefined || surplus !== undefined) throw mismatch('not exactly one signature')
  return signature
}

async function assertHash(hash: Field, data: Covered): Promise<void> {
  const actual = formatHex(await hashBy(hash.get('algorithm').string(), data))
  if (hash.get('value').string() !== actual) throw mismatch(OTHER_CONTENT)
}

async function assertPayload(entry: Field, { payload }: Signed): Promise<void> {
  if (payload === undefined) throw mismatch('it is of an envelope')
  await assertHash(entry.get('payloadHash'), payload)
}

function assertSignature(logged: Uint8Array, signed: Signed): void {
  if (!sameBytes(logged, signed.signature)) throw mismatch('it is of another signature')
}

function assertPemVerifier(pem: Uint8Array, signed: Signed): void {
  const [block, surplus] = parsePem(decodeUtf8(pem) ?? '', "the log entry's key")
  if (surplus !== undefined) throw mismatch('it names several keys')
  assertVerifier(
    block!.label === 'RSA PUBLIC KEY' ? spkiOfPkcs1(block!.bytes) : block!.bytes,
    signed,
  )
}

function assertVerifier(der: Uint8Array, signed: Signed): void {
  if (!signed.verifiers.some((verifier) => sameBytes(der, verifier)))
    throw mismatch('it is of another key or certificate')
}

function mismatch(why: string): SignatureInvalid {
  return new SignatureInvalid(
    'TLOG_ENTRY_MISMATCH',
    `the log entry is not of this signature: ${why}`,
  )
}
