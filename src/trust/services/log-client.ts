/** Submits signatures to a Rekor transparency log. @see https://github.com/sigstore/rekor/blob/main/openapi.yaml */
import { formatBase64 } from '../../bytes/base64.ts'
import { formatHex, parseHex } from '../../bytes/hex.ts'
import { parseJson } from '../../bytes/json.ts'
import { formatPem } from '../../bytes/pem.ts'
import { decodeUtf8Lossy, encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import { readLogEntry } from '../bundle/bundle.ts'
import { parseCertificate } from '../x509/certificate.ts'
import { hash } from '../keys/hash.ts'
import { parsePublicKey, type PublicKey } from '../keys/public-key.ts'
import { callService, type ServiceOptions } from '../wire/service-request.ts'
import type { FreshSignature } from '../cosign/sign-artifact.ts'
import type { LogEntry } from '../log/transparency-log.ts'
import { readField, type Field } from '../wire/wire-json.ts'

/** A Rekor instance. */
export interface LogService {
  /** URL of the instance, without the path of the API. */
  readonly url: string
  /**
   * Major version of the API. Rekor v1 returns a signed entry timestamp; v2 returns an inclusion proof only
   * and needs a timestamp authority in addition.
   */
  readonly version: 1 | 2
}

/**
 * Submits a signature.
 * @returns The log entry, unverified.
 */
export function submitEntry(
  service: LogService,
  fresh: FreshSignature,
  options: ServiceOptions,
): Promise<LogEntry> {
  return service.version === 1
    ? submitV1(service.url, fresh, options)
    : submitV2(service.url, fresh, options)
}

async function submitV1(
  url: string,
  fresh: FreshSignature,
  options: ServiceOptions,
): Promise<LogEntry> {
  const entries = `${url.replace(/\/$/, '')}/api/v1/log/entries`
  const body = JSON.stringify({ apiVersion: '0.0.1', ...(await proposeV1(fresh)) })
  const answer = await callService(
    { method: 'POST', url: entries, contentType: 'application/json', body, expect: [409] },
    options,
  )
  if (answer.status !== 409) return readV1(answer.bytes)
  // Browsers hide `Location` across origins, so look for the entry's UUID in the message too.
  const [uuid] =
    /(?:[0-9a-f]{16})?[0-9a-f]{64}(?![0-9a-f])/.exec(
      `${answer.headers.get('location') ?? ''} ${decodeUtf8Lossy(answer.bytes)}`,
    ) ?? []
  if (uuid === undefined)
    throw new SpindleError(
      'ERR_CONFLICT',
      'the transparency log already has this entry but did not return its UUID: sign again',
    )
  return readV1((await callService({ method: 'GET', url: `${entries}/${uuid}` }, options)).bytes)
}

async function proposeV1({
  signature,
  data,
  envelope,
  verifier,
  isCertificate,
}: FreshSignature): Promise<object> {
  const pem = formatBase64(
    encodeUtf8(formatPem(isCertificate ? 'CERTIFICATE' : 'PUBLIC KEY', verifier)),
  )
  const content = formatBase64(signature)
  if (envelope === undefined) {
    const name = keyOf(verifier, isCertificate).hashes[0]!
    const digest = {
      algorithm: name.toLowerCase().replace('-', ''),
      value: formatHex(await hash(name, data)),
    }
    return {
      kind: 'hashedrekord',
      spec: { data: { hash: digest }, signature: { content, publicKey: { content: pem } } },
    }
  }
  const json = {
    payload: formatBase64(envelope.payload),
    payloadType: envelope.payloadType,
    signatures: [{ sig: content }],
  }
  return {
    kind: 'dsse',
    spec: { proposedContent: { envelope: JSON.stringify(json), verifiers: [pem] } },
  }
}

/** Reads an entry of the v1 API, which writes bytes in hexadecimal and integers as numbers. */
function readV1(bytes: Uint8Array): LogEntry {
  const answer = parseJson(bytes, 'the answer of the transparency log')
  const [uuid, surplus] = Object.keys(Object(answer) as object)
  if (uuid === undefined || surplus !== undefined)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      'the response of the transparency log is not one log entry: check its address and version',
    )
  const entry = readField(answer, 'answer').get(uuid)
  const verification = entry.get('verification')
  const proof = verification.get('inclusionProof')
  const body = entry.get('body').bytes()
  const record = readField(parseJson(body, 'the log entry'), 'entry')
  return {
    logId: formatHex(readHex(entry.get('logID'))),
    index: entry.get('logIndex').count(),
    kind: `${record.get('kind').string()}/${record.get('apiVersion').string()}`,
    body,
    integratedTime: entry.get('integratedTime').count(),
    promise: verification.get('signedEntryTimestamp').bytes(),
    proof: {
      index: proof.get('logIndex').count(),
      size: proof.get('treeSize').count(),
      root: readHex(proof.get('rootHash')),
      hashes: proof.get('hashes').list(53).map(readHex),
      checkpoint: proof.get('checkpoint').string(),
    },
  }
}

function readHex(field: Field): Uint8Array {
  const bytes = parseHex(field.string())
  if (bytes === undefined)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `${field.path} in the response of the transparency log is not hexadecimal: check its address and version`,
    )
  return bytes
}

/** @see https://github.com/sigstore/rekor-tiles/blob/main/api/proto/rekor/v2/hashedrekord.proto */
async function submitV2(
  url: string,
  { signature, data, verifier, isCertificate }: FreshSignature,
  options: ServiceOptions,
): Promise<LogEntry> {
  const key = keyOf(verifier, isCertificate)
  const rawBytes = formatBase64(verifier)
  const request = {
    hashedRekordRequestV002: {
      digest: formatBase64(await hash(key.hashes[0]!, data)),
      signature: {
        content: formatBase64(signature),
        verifier: {
          ...(isCertificate ? { x509Certificate: { rawBytes } } : { publicKey: { rawBytes } }),
          keyDetails: keyDetailsOf(key),
        },
      },
    },
  }
  const { bytes } = await callService(
    {
      method: 'POST',
      url: `${url.replace(/\/$/, '')}/api/v2/log/entries`,
      contentType: 'application/json',
      body: JSON.stringify(request),
    },
    options,
  )
  return readLogEntry(
    readField(parseJson(bytes, 'the answer of the transparency log'), 'answer'),
    3,
  )
}

function keyOf(verifier: Uint8Array, isCertificate: boolean): PublicKey {
  return parsePublicKey(isCertificate ? parseCertificate(verifier).spki : verifier)
}

function keyDetailsOf(key: PublicKey): string {
  const [hashName] = key.hashes
  if (key.kind === 'ECDSA')
    return {
      'SHA-256': 'PKIX_ECDSA_P256_SHA_256',
      'SHA-384': 'PKIX_ECDSA_P384_SHA_384',
      'SHA-512': 'PKIX_ECDSA_P521_SHA_512',
    }[hashName!]
  const bits =
    key.kind === 'RSA'
      ? [2048, 3072, 4096].find((size) => Math.abs(key.spki.length - size / 8 - 38) < 8)
      : undefined
  if (bits === undefined)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'Rekor v2 does not accept this key: use ECDSA, or RSA with 2048, 3072 or 4096 bits',
    )
  return `PKIX_RSA_PKCS1V15_${bits}_SHA256`
}
