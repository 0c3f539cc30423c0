/** Parses a `trusted_root.json`. @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto */
import { parseProtoBase64 } from '../../bytes/base64.ts'
import { formatHex } from '../../bytes/hex.ts'
import { isJsonObject, parseUniqueJson } from '../../bytes/json.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SignatureInvalid, SpindleError } from '../../errors.ts'
import { parseCertificate } from '../x509/certificate.ts'
import type { Authority } from '../x509/certificate-path.ts'
import { parsePublicKey, spkiOfPkcs1, type PublicKey } from '../keys/public-key.ts'
import { readField, type Field } from '../wire/wire-json.ts'

/** A transparency log of signatures or of certificates. */
export interface Log {
  readonly uri: string
  /** SHA-256 of the log's published public key, hexadecimal. */
  readonly id: string
  /** First four bytes of the key identifier in checkpoints, hexadecimal. */
  readonly checkpointId: string
  /** Parses the key on first use, so that an unsupported key fails only entries of this log. */
  readonly key: () => PublicKey
  /** Milliseconds since 1970, both inclusive. */
  readonly start: number
  readonly end: number
}

/** A parsed `trusted_root.json`: logs of signatures and of certificates, CAs, timestamp authorities. */
export interface TrustedRoot {
  readonly tlogs: readonly Log[]
  readonly ctlogs: readonly Log[]
  readonly certificateAuthorities: readonly Authority[]
  readonly timestampAuthorities: readonly Authority[]
}

/** The public-good root has 7 KiB. */
const MAX_TRUSTED_ROOT_CHARS: number = 1024 * 1024
/** Most logs or authorities of one kind. */
export const MAX_ENTRIES = 64

const MEDIA_TYPE =
  /^application\/vnd\.dev\.sigstore\.trustedroot(?:\+json;version=0\.1|\.v0\.[12]\+json)$/
/** Parsed roots by input object, with the JSON text at that time: the caller can edit the object later. */
const parsed = new WeakMap<object, { readonly text: string; readonly root: TrustedRoot }>()

/**
 * Parses a `trusted_root.json`, given as text or as a parsed object.
 *
 * Keeps logs and authorities outside their validity period: old signatures need them.
 * @throws `SignatureInvalid` `TRUST_ROOT_INVALID`.
 */
export function parseTrustedRoot(input: unknown): TrustedRoot {
  try {
    const text = typeof input === 'string' ? input : (JSON.stringify(input) ?? '')
    if (text.length > MAX_TRUSTED_ROOT_CHARS)
      throw invalid(`it has ${text.length} characters, more than ${MAX_TRUSTED_ROOT_CHARS}`)
    const object = isJsonObject(input) ? input : undefined
    const cached = object && parsed.get(object)
    if (cached?.text === text) return cached.root
    // Parse the text rather than the object, so that the cache key is what was read.
    const json = parseUniqueJson(encodeUtf8(text), 'it')
    const root = readRoot(readField(json, 'trusted root', parseProtoBase64))
    if (object !== undefined) parsed.set(object, { text, root })
    return root
  } catch (cause) {
    throw new SignatureInvalid(
      'TRUST_ROOT_INVALID',
      `the trusted root is invalid: ${(cause as Error).message}`,
      { cause },
    )
  }
}

// Unknown members are rejected, like `protojson` does: a misspelled `end` would never expire.
function readRoot(root: Field): TrustedRoot {
  root.only('mediaType', 'tlogs', 'ctlogs', 'certificateAuthorities', 'timestampAuthorities')
  if (!MEDIA_TYPE.test(root.get('mediaType').string()))
    throw invalid('its media type is not supported (versions 0.1 and 0.2 are)')
  return {
    tlogs: root.get('tlogs').list(MAX_ENTRIES).map(readLog),
    ctlogs: root.get('ctlogs').list(MAX_ENTRIES).map(readLog),
    certificateAuthorities: root.get('certificateAuthorities').list(MAX_ENTRIES).map(readAuthority),
    timestampAuthorities: root.get('timestampAuthorities').list(MAX_ENTRIES).map(readAuthority),
  }
}

function readLog(log: Field): Log {
  log.only('baseUrl', 'hashAlgorithm', 'publicKey', 'logId', 'checkpointKeyId', 'operator')
  const key = log.get('publicKey').only('rawBytes', 'keyDetails', 'validFor')
  const bytes = key.get('rawBytes').bytes()
  const isPkcs1 = key.get('keyDetails').string().startsWith('PKCS1_')
  const id = formatHex(log.get('logId').get('keyId').bytes())
  let parsedKey: PublicKey | undefined
  return {
    uri: log.get('baseUrl').string(),
    id,
    checkpointId: formatHex(
      (
        log.get('checkpointKeyId').optional()?.get('keyId').bytes() ??
        log.get('logId').get('keyId').bytes()
      ).subarray(0, 4),
    ),
    key: () => (parsedKey ??= parsePublicKey(isPkcs1 ? spkiOfPkcs1(bytes) : bytes)),
    ...readRange(key.get('validFor')),
  }
}

function readAuthority(authority: Field): Authority {
  authority.only('subject', 'uri', 'certChain', 'validFor', 'operator')
  const chain = authority
    .get('certChain')
    .only('certificates')
    .get('certificates')
    .list(MAX_ENTRIES)
  if (chain.length === 0) throw invalid('an authority has no certificates')
  return {
    uri: authority.get('uri').optional()?.string() ?? '',
    chain: chain.map((certificate) =>
      parseCertificate(certificate.only('rawBytes').get('rawBytes').bytes()),
    ),
    ...readRange(authority.get('validFor')),
  }
}

function readRange(range: Field): { start: number; end: number } {
  range.only('start', 'end')
  return { start: range.get('start').time(), end: range.get('end').optional()?.time() ?? Infinity }
}

/** Whether a log was trusted at that time; both ends of the period are inclusive. */
export function validAt(
  log: { readonly start: number; readonly end: number },
  at: number,
): boolean {
  return at >= log.start && at <= log.end
}

function invalid(why: string): SpindleError {
  return new SpindleError('ERR_CONTENT_INVALID', why)
}
