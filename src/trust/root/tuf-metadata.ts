/** Signed metadata of The Update Framework. @see https://theupdateframework.github.io/specification/latest/#document-formats */
import { parseHex } from '../../bytes/hex.ts'
import { isJsonObject, parseUniqueJson } from '../../bytes/json.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError, SignatureInvalid } from '../../errors.ts'
import { keyIdOf, loadPublicKey } from '../keys/public-key.ts'
import { readField, type Field } from '../wire/wire-json.ts'

/** Top-level roles of TUF. */
export type TufRole = 'root' | 'timestamp' | 'snapshot' | 'targets'

/** Most signatures or keys of one role: the public-good root has five. */
const MAX_SIGNATURES = 64
/** Deepest nesting: roots have five levels; deeper documents could overflow the stack. */
const MAX_DEPTH = 32

/** A parsed metadata file, before its signatures are verified. */
export interface TufDocument {
  readonly signed: Field
  readonly signatures: readonly Field[]
  readonly version: number
  /** Milliseconds since 1970. */
  readonly expires: number
}

/**
 * Parses a metadata file; verifies nothing.
 * @throws `ERR_CONTENT_INVALID`.
 */
export function parseTufDocument(input: Uint8Array | object, role: TufRole): TufDocument {
  const json = input instanceof Uint8Array ? parseUniqueJson(input, `${role}.json`) : input
  const document = readField(json, role)
  const signed = document.get('signed')
  if (signed.get('_type').string() !== role) throw invalid(`${role}.json has another type`)
  return {
    signed,
    signatures: document.get('signatures').list(MAX_SIGNATURES),
    version: signed.get('version').count(),
    expires: signed.get('expires').time(),
  }
}

/** Key identifiers that a root lists for a role. */
export function keyIdsOf(root: TufDocument, role: TufRole): ReadonlySet<string> {
  const ids = root.signed.get('roles').get(role).get('keyids').list(MAX_SIGNATURES)
  return new Set(ids.map((id) => id.string()))
}

/**
 * Verifies that the document has the threshold of signatures by different keys of the role.
 * @throws `ERR_SIGNATURE_INVALID`.
 */
export async function assertSigned(
  document: TufDocument,
  root: TufDocument,
  role: TufRole,
): Promise<void> {
  const threshold = root.signed.get('roles').get(role).get('threshold').count()
  const keyIds = keyIdsOf(root, role)
  if (threshold < 1) throw invalid(`the root has the threshold 0 for ${role}.json`)
  const bytes = encodeUtf8(canonical(document.signed.value))
  // Counted by key, not by identifier or PEM text: one key can have several of both.
  const signers = new Set<string>()
  for (const signature of document.signatures) {
    const keyId = signature.get('keyid').string()
    const sig = parseHex(signature.get('sig').string())
    if (!keyIds.has(keyId) || sig === undefined || sig.length === 0) continue
    const pem = root.signed.get('keys').get(keyId).get('keyval').get('public').string()
    const key = await loadPublicKey(pem)
    if (await key.verify(sig, bytes)) signers.add(await keyIdOf(key))
  }
  if (signers.size < threshold)
    throw new SignatureInvalid(
      'TRUST_ROOT_INVALID',
      `${role}.json has ${signers.size} of ${threshold} required signatures: the repository may be compromised; keep the previous trusted root`,
    )
}

/** OLPC canonical JSON: sorted keys, only quotes and backslashes escaped, so line feeds stay literal. */
function canonical(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH) throw invalid(`it is nested deeper than ${MAX_DEPTH} levels`)
  if (typeof value === 'string') return `"${value.replace(/["\\]/g, '\\$&')}"`
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth + 1)).join(',')}]`
  if (isJsonObject(value)) {
    return `{${Object.keys(value)
      .sort()
      .map((key) => `${canonical(key)}:${canonical(value[key], depth + 1)}`)
      .join(',')}}`
  }
  if (typeof value === 'boolean' || value === null || Number.isSafeInteger(value))
    return String(value)
  throw invalid('it contains a number that is not an integer')
}

function invalid(why: string): SpindleError {
  return new SpindleError('ERR_CONTENT_INVALID', `the TUF metadata is invalid: ${why}`)
}
