/** Strict transparency logs of both versions: canonical bodies, trees with more than one leaf, no entry that doesn't verify. */
import { formatBase64, parseBase64 } from '../../src/bytes/base64.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import { createEd25519Key } from '../../src/bytes/ed25519.ts'
import { formatHex } from '../../src/bytes/hex.ts'
import {
  formatCanonicalJson,
  isJsonObject,
  type JsonObject,
  parseJson,
} from '../../src/bytes/json.ts'
import { formatPem, parsePem } from '../../src/bytes/pem.ts'
import { concat } from '../../src/bytes/stream.ts'
import { decodeUtf8, encodeUtf8 } from '../../src/bytes/text.ts'
import { parseCertificate } from '../../src/trust/x509/certificate.ts'
import { preAuthEncoding } from '../../src/trust/bundle/dsse.ts'
import { ED25519_SPKI, parsePublicKey } from '../../src/trust/keys/public-key.ts'
import { createKeyPair, signEcdsa } from './certificates.ts'
import { createMerkleLog } from './merkle-log.ts'

/** Entries before this shard: its own count and the whole log's differ. */
const EARLIER_ENTRIES = 24_000_000
const TREE_ID = '2605736670972794746'

export interface RekorLog {
  readonly spki: Uint8Array
  readonly logId: Uint8Array
  readonly keyDetails: string
  handle(request: Request): Promise<Response>
}

/** What the stand-in is made to do wrong. */
export type RekorFlaw = 'other-entry' | 'altered-set' | 'late' | 'unavailable' | undefined

export interface RekorOptions {
  readonly host: string
  readonly clock: () => Date
  readonly flaw: () => RekorFlaw
}

export async function createRekorV1({ host, clock, flaw }: RekorOptions): Promise<RekorLog> {
  const key = await createKeyPair()
  const logId = await rawDigestOf(key.spki)
  const tree = createMerkleLog({
    origin: `${host} - ${TREE_ID}`,
    name: host,
    keyId: logId,
    sign: (text) => signEcdsa(key, text),
  })
  const entries = new Map<string, unknown>()

  return {
    spki: key.spki,
    logId,
    keyDetails: 'PKIX_ECDSA_P256_SHA_256',
    async handle(request) {
      if (flaw() === 'unavailable')
        return Response.json(
          { code: 503, message: 'unavailable' },
          { status: 503, headers: { 'retry-after': '0' } },
        )
      const { pathname } = new URL(request.url)
      if (request.method === 'GET') {
        const found = entries.get(pathname.split('/').at(-1)!)
        return found === undefined
          ? Response.json({ code: 404, message: 'not found' }, { status: 404 })
          : Response.json(found)
      }
      const proposed = parseJson(new Uint8Array(await request.arrayBuffer()), 'the entry')
      const canonical = await canonicalize(proposed)
      if (typeof canonical === 'string')
        return Response.json({ code: 400, message: canonical }, { status: 400 })
      const other =
        flaw() === 'other-entry'
          ? JSON.parse(JSON.stringify(canonical).replace(/[0-9a-f]{64}/g, '0'.repeat(64)))
          : canonical
      const body = formatCanonicalJson(other)
      const uuid = `24296fb24b8ad77a${formatHex(await rawDigestOf(concat([Uint8Array.of(0), body])))}`
      if (entries.has(uuid)) {
        const message = `an equivalent entry already exists in the transparency log with UUID ${uuid}`
        return Response.json(
          { code: 409, message },
          { status: 409, headers: { location: `/api/v1/log/entries/${uuid}` } },
        )
      }
      const proof = await tree.append(body)
      const payload = {
        body: formatBase64(body),
        integratedTime: Math.floor(clock().getTime() / 1000) + (flaw() === 'late' ? 3600 : 0),
        logID: formatHex(logId),
        logIndex: EARLIER_ENTRIES + proof.index,
      }
      const set = await signEcdsa(key, formatCanonicalJson(payload))
      if (flaw() === 'altered-set') set[12] = set[12]! ^ 1
      const inclusionProof = {
        checkpoint: proof.checkpoint,
        hashes: proof.hashes.map(formatHex),
        logIndex: proof.index,
        rootHash: formatHex(proof.root),
        treeSize: proof.size,
      }
      const answer = {
        [uuid]: {
          ...payload,
          verification: { inclusionProof, signedEntryTimestamp: formatBase64(set) },
        },
      }
      entries.set(uuid, answer)
      return Response.json(answer, { status: 201 })
    },
  }
}

/** What is logged for what was proposed, or why it is refused. */
async function canonicalize(proposed: unknown): Promise<JsonObject | string> {
  if (
    !isJsonObject(proposed) ||
    !isJsonObject(proposed['spec']) ||
    proposed['apiVersion'] !== '0.0.1'
  )
    return 'unsupported entry'
  const { kind, spec } = proposed
  if (kind === 'hashedrekord') {
    const { data, signature } = spec as {
      data: { hash: { algorithm: string; value: string } }
      signature: { content: string; publicKey: { content: string } }
    }
    if (data.hash.algorithm !== 'sha256' || !/^[0-9a-f]{64}$/.test(data.hash.value))
      return 'invalid hash'
    const verifier = readVerifier(signature.publicKey.content)
    if (verifier === undefined || parseBase64(signature.content) === undefined)
      return 'invalid public key or signature'
    return {
      apiVersion: '0.0.1',
      kind,
      spec: {
        data: { hash: data.hash },
        signature: { content: signature.content, publicKey: { content: verifier.pem } },
      },
    }
  }
  if (kind !== 'dsse') return 'unsupported kind'
  const { envelope, verifiers } = (
    spec as { proposedContent: { envelope: string; verifiers: string[] } }
  ).proposedContent
  const { payload, payloadType, signatures } = JSON.parse(envelope) as {
    payload: string
    payloadType: string
    signatures: { sig: string }[]
  }
  const verifier = verifiers.length === 1 ? readVerifier(verifiers[0]!) : undefined
  const payloadBytes = parseBase64(payload)
  const signature = parseBase64(signatures[0]?.sig ?? '')
  if (
    verifier === undefined ||
    payloadBytes === undefined ||
    signature === undefined ||
    signatures.length !== 1
  )
    return 'invalid envelope'
  if (
    !(await parsePublicKey(verifier.spki).verify(
      signature,
      preAuthEncoding(payloadType, payloadBytes),
    ))
  )
    return 'could not verify envelope'
  const hash = async (bytes: Uint8Array): Promise<object> => ({
    algorithm: 'sha256',
    value: formatHex(await rawDigestOf(bytes)),
  })
  return {
    apiVersion: '0.0.1',
    kind,
    spec: {
      envelopeHash: await hash(encodeUtf8(envelope)),
      payloadHash: await hash(payloadBytes),
      signatures: [{ signature: signatures[0]!.sig, verifier: verifier.pem }],
    },
  }
}

/** Base64 of PEM, re-encoded as Rekor does, and the key in it. */
function readVerifier(encoded: string): { pem: string; spki: Uint8Array } | undefined {
  const [block] = parsePem(
    decodeUtf8(parseBase64(encoded) ?? new Uint8Array()) ?? '',
    'the verifier',
  )
  if (block?.label !== 'CERTIFICATE' && block?.label !== 'PUBLIC KEY') return undefined
  const spki = block.label === 'CERTIFICATE' ? parseCertificate(block.bytes).spki : block.bytes
  return { pem: formatBase64(encodeUtf8(formatPem(block.label, block.bytes))), spki }
}

export async function createRekorV2({ host, flaw }: RekorOptions): Promise<RekorLog> {
  const { publicKey, sign } = await createEd25519Key(crypto.getRandomValues(new Uint8Array(32)))
  const spki = concat([ED25519_SPKI, publicKey])
  // C2SP signed notes: name, newline, algorithm 1, key.
  const logId = await rawDigestOf(concat([encodeUtf8(`${host}\n`), Uint8Array.of(1), publicKey]))
  const tree = createMerkleLog({
    origin: host,
    name: host,
    keyId: logId,
    sign,
    isWitnessed: true,
  })
  return {
    spki,
    logId,
    keyDetails: 'PKIX_ED25519',
    async handle(request) {
      if (flaw() === 'unavailable')
        return Response.json(
          { code: 14, message: 'unavailable' },
          { status: 503, headers: { 'retry-after': '0' } },
        )
      const body = parseJson(new Uint8Array(await request.arrayBuffer()), 'the entry')
      const record = isJsonObject(body)
        ? (body['hashedRekordRequestV002'] as
            | {
                digest: string
                signature: { content: string; verifier: JsonObject & { keyDetails: string } }
              }
            | undefined)
        : undefined
      if (record === undefined || parseBase64(record.digest)?.length !== 32)
        return Response.json({ code: 3, message: 'invalid request' }, { status: 400 })
      const digest = flaw() === 'other-entry' ? formatBase64(new Uint8Array(32)) : record.digest
      const entry = formatCanonicalJson({
        apiVersion: '0.0.2',
        kind: 'hashedrekord',
        spec: {
          hashedRekordV002: {
            data: { algorithm: 'SHA2_256', digest },
            signature: { content: record.signature.content, verifier: record.signature.verifier },
          },
        },
      })
      const proof = await tree.append(entry)
      return Response.json(
        {
          logIndex: String(proof.index),
          logId: { keyId: formatBase64(logId) },
          kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
          inclusionProof: {
            logIndex: String(proof.index),
            rootHash: formatBase64(proof.root),
            treeSize: String(proof.size),
            hashes: proof.hashes.map((bytes) => formatBase64(bytes)),
            checkpoint: { envelope: proof.checkpoint },
          },
          canonicalizedBody: formatBase64(entry),
        },
        { status: 201 },
      )
    },
  }
}
