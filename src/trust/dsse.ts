/** Signed envelopes and in-toto statements. @see https://github.com/secure-systems-lab/dsse/blob/master/protocol.md */
import { hexOf, algorithmOf } from '../bytes/digest.ts'
import { isJsonObject, parseUniqueJson } from '../bytes/json.ts'
import { concat } from '../bytes/stream.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import { SignatureInvalid } from '../errors.ts'
import type { Digest } from '../types.ts'
import { readField, type Field } from './wire-json.ts'

export const IN_TOTO_TYPE = 'application/vnd.in-toto+json'
/** What cosign ≥3 writes for `cosign sign`; any other type is an attestation, not a signature. */
export const COSIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1'
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'
const STATEMENT_TYPES: ReadonlySet<string> = new Set([
  STATEMENT_TYPE,
  'https://in-toto.io/Statement/v0.1',
])

/** Most subjects of a statement that are looked at. */
export const MAX_SUBJECTS = 1024

/** The bytes that an envelope's signature covers. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const type = encodeUtf8(payloadType)
  return concat([
    encodeUtf8(`DSSEv1 ${type.length} `),
    type,
    encodeUtf8(` ${payload.length} `),
    payload,
  ])
}

/** What a statement says about one artifact. */
export interface StatementAbout {
  readonly predicateType: string
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * The statement in a payload, if it is about that artifact.
 * @throws `SignatureInvalid` `PAYLOAD_TYPE`, `DIGEST_MISMATCH`.
 */
export function parseStatement(payload: Uint8Array, about: Digest): StatementAbout {
  const statement = readField(parseUniqueJson(payload, 'the signed statement'), 'statement')
  if (!STATEMENT_TYPES.has(statement.get('_type').string()))
    throw new SignatureInvalid('PAYLOAD_TYPE', 'the signed payload is no in-toto statement')
  const algorithm = algorithmOf(about)
  const subject = statement
    .get('subject')
    .list(MAX_SUBJECTS)
    .find((candidate) => candidate.get('digest').get(algorithm).value === hexOf(about))
  if (subject === undefined)
    throw new SignatureInvalid('DIGEST_MISMATCH', `the signed statement is not about ${about}`)
  return {
    predicateType: statement.get('predicateType').string(),
    annotations: readStrings(subject.get('annotations').optional()),
  }
}

/** String members only; others can't be asked for. */
export function readStrings(field: Field | undefined): Readonly<Record<string, string>> {
  const strings: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [key, value] of Object.entries(isJsonObject(field?.value) ? field.value : {})) {
    if (typeof value === 'string') strings[key] = value
  }
  return strings
}
