/** DSSE envelopes and in-toto statements. @see https://github.com/secure-systems-lab/dsse/blob/master/protocol.md */
import { hexOf, algorithmOf } from '../../bytes/digest.ts'
import { parseUniqueJson } from '../../bytes/json.ts'
import { concat } from '../../bytes/stream.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SignatureInvalid } from '../../errors.ts'
import type { SubjectDigest } from '../keys/hash.ts'
import type { Digest } from '../../types.ts'
import { COSIGN_PREDICATE, STATEMENT_TYPE } from '../wire/media-types.ts'
import { readField, readStrings } from '../wire/wire-json.ts'

const STATEMENT_TYPES = [STATEMENT_TYPE, 'https://in-toto.io/Statement/v0.1']

/** Most subjects of a statement. */
const MAX_SUBJECTS = 1024

/** The pre-authentication encoding: the signed bytes of an envelope. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const type = encodeUtf8(payloadType)
  return concat([
    encodeUtf8(`DSSEv1 ${type.length} `),
    type,
    encodeUtf8(` ${payload.length} `),
    payload,
  ])
}

/** Formats the statement of `cosign sign` for one digest. */
export function formatStatement(
  about: Digest,
  annotations: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const digest = { [algorithmOf(about)]: hexOf(about) }
  const subject = Object.keys(annotations).length === 0 ? { digest } : { digest, annotations }
  return encodeUtf8(
    JSON.stringify({
      _type: STATEMENT_TYPE,
      subject: [subject],
      predicateType: COSIGN_PREDICATE,
      predicate: {},
    }),
  )
}

/** A statement's claims about one artifact. */
interface StatementAbout {
  readonly predicateType: string
  /** The subject's name. */
  readonly name?: string
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * Parses the statement in a payload, and finds the artifact among its subjects.
 * @throws `SignatureInvalid` `PAYLOAD_TYPE`, `DIGEST_MISMATCH`.
 */
export function parseStatement(payload: Uint8Array, about: SubjectDigest): StatementAbout {
  const statement = readField(parseUniqueJson(payload, 'the signed statement'), 'statement')
  if (!STATEMENT_TYPES.includes(statement.get('_type').string()))
    throw new SignatureInvalid('PAYLOAD_TYPE', 'the signed payload is not an in-toto statement')
  const [algorithm, hex] = about.split(':') as [string, string]
  const subject = statement
    .get('subject')
    .list(MAX_SUBJECTS)
    .find((candidate) => candidate.get('digest').get(algorithm).value === hex)
  if (subject === undefined)
    throw new SignatureInvalid(
      'DIGEST_MISMATCH',
      `the signed statement is for another artifact: ${about} is not among its subjects`,
    )
  const name = subject.get('name').optional()?.string()
  return {
    predicateType: statement.get('predicateType').string(),
    ...(name !== undefined && name !== '' && { name }),
    annotations: readStrings(subject.get('annotations').optional()),
  }
}
