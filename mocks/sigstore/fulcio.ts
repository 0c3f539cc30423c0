/** A strict Fulcio: checks the token, its audience and the proof of possession before it issues anything. */
import { parseBase64, parseBase64Url } from '../../src/bytes/base64.ts'
import { isJsonObject, type JsonObject, parseJson } from '../../src/bytes/json.ts'
import { formatPem, parsePem } from '../../src/bytes/pem.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { parsePublicKey } from '../../src/trust/keys/public-key.ts'
import { type CertificateLog, sctExtension } from './certificate-log.ts'
import {
  altNames,
  basicConstraints,
  createKeyPair,
  type Extension,
  extendedKeyUsage,
  formatTbs,
  type KeyPair,
  keyUsage,
  rawExtension,
  signCertificate,
  utf8Extension,
} from './certificates.ts'

const FULCIO = '1.3.6.1.4.1.57264.1'
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'
const CERTIFICATE_MINUTES = 10

/** Ways to issue a bad certificate, for tests of those who check. */
export interface CertificateFlaws {
  readonly leafUsages?: readonly string[]
  readonly leafExtensions?: readonly Extension[]
  readonly names?: readonly ({ email: string } | { uri: string })[]
  /** Issuer extensions, `.1` and `.8`. */
  readonly issuers?: readonly [string | undefined, string | undefined]
  readonly root?: readonly Extension[]
  readonly intermediate?: readonly Extension[]
  readonly notBefore?: Date
  readonly scts?: 'none' | 'altered' | 'unknown' | 'other-certificate' | 'two' | 'static'
  /** Certify this key instead of the asked one. */
  readonly spki?: Uint8Array
}

export interface Fulcio {
  /** DER, intermediate first. */
  readonly chain: readonly Uint8Array[]
  /** DER, leaf first. */
  issue(spki: Uint8Array, claims: JsonObject, at: Date): Promise<Uint8Array[]>
  handle(request: Request): Promise<Response>
}

export interface FulcioOptions {
  readonly clock: () => Date
  readonly log: CertificateLog
  readonly unknownLog: CertificateLog
  readonly issuerKey: KeyPair
  readonly flaws: () => CertificateFlaws
}

export async function createFulcio({
  clock,
  log,
  unknownLog,
  issuerKey,
  flaws,
}: FulcioOptions): Promise<Fulcio> {
  const root = await createKeyPair()
  const intermediate = await createKeyPair()
  const lasting = {
    notBefore: new Date('2020-01-01T00:00:00Z'),
    notAfter: new Date('2039-12-31T23:59:59Z'),
  }
  const rootDer = await signCertificate(
    formatTbs({
      subject: 'stand-in root',
      issuer: 'stand-in root',
      spki: root.spki,
      ...lasting,
      extensions: flaws().root ?? [basicConstraints(true, 1), keyUsage('keyCertSign')],
    }),
    root,
  )
  const intermediateExtensions = flaws().intermediate ?? [
    basicConstraints(true, 0),
    keyUsage('keyCertSign'),
    extendedKeyUsage(CODE_SIGNING),
  ]
  const intermediateDer = await signCertificate(
    formatTbs({
      subject: 'stand-in intermediate',
      issuer: 'stand-in root',
      spki: intermediate.spki,
      ...lasting,
      extensions: intermediateExtensions,
    }),
    root,
  )

  async function issue(spki: Uint8Array, claims: JsonObject, at: Date): Promise<Uint8Array[]> {
    const flaw = flaws()
    const subject = String(claims['email'] ?? claims['sub'])
    const named = 'email' in claims ? { email: subject } : { uri: subject }
    const issuer = String(claims['iss'])
    const [issuerV1, issuerV2] = flaw.issuers ?? [issuer, issuer]
    const notBefore = flaw.notBefore ?? at
    const extensions: Extension[] = [
      keyUsage('digitalSignature'),
      extendedKeyUsage(...(flaw.leafUsages ?? [CODE_SIGNING])),
      altNames(...(flaw.names ?? [named])),
      ...(issuerV1 === undefined ? [] : [rawExtension(`${FULCIO}.1`, issuerV1)]),
      ...(issuerV2 === undefined ? [] : [utf8Extension(`${FULCIO}.8`, issuerV2)]),
      ...(typeof claims['repository'] === 'string'
        ? [rawExtension(`${FULCIO}.5`, claims['repository'])]
        : []),
      ...(typeof claims['ref'] === 'string' ? [rawExtension(`${FULCIO}.6`, claims['ref'])] : []),
      ...(typeof claims['sha'] === 'string' ? [rawExtension(`${FULCIO}.3`, claims['sha'])] : []),
      ...(flaw.leafExtensions ?? []),
    ]
    const notAfter = new Date(notBefore.getTime() + CERTIFICATE_MINUTES * 60_000)
    const fields = {
      subject: '',
      issuer: 'stand-in intermediate',
      spki: flaw.spki ?? spki,
      notBefore,
      notAfter,
      extensions,
      serial: 0x4000 + Math.floor(Math.random() * 0x3fff),
    }
    const scts = await stamp(formatTbs(fields), flaw.scts, at)
    const tbs = formatTbs({
      ...fields,
      extensions: scts.length === 0 ? extensions : [...extensions, sctExtension(...scts)],
    })
    return [await signCertificate(tbs, intermediate), intermediateDer, rootDer]
  }

  async function stamp(
    tbs: Uint8Array,
    flaw: CertificateFlaws['scts'],
    at: Date,
  ): Promise<Uint8Array[]> {
    if (flaw === 'none') return []
    if (flaw === 'unknown') return [await unknownLog.stamp(tbs, intermediate.spki, at)]
    if (flaw === 'static')
      return [
        await log.stamp(tbs, intermediate.spki, at, {
          extensions: Uint8Array.of(0, 0, 5, 0, 0, 0, 0, 7),
        }),
      ]
    const other =
      flaw === 'other-certificate'
        ? formatTbs({ subject: 'x', issuer: 'y', spki: root.spki, ...lasting, extensions: [] })
        : tbs
    const sct = await log.stamp(other, intermediate.spki, at)
    if (flaw === 'altered') sct[40] = sct[40]! ^ 1
    return flaw === 'two' ? [await unknownLog.stamp(tbs, intermediate.spki, at), sct] : [sct]
  }

  async function handle(request: Request): Promise<Response> {
    if (request.headers.get('content-type') !== 'application/json')
      return refuse(415, 'the content type is not application/json')
    const body = parseJson(new Uint8Array(await request.arrayBuffer()), 'the request')
    const credentials = member(body, 'credentials')
    const key = member(body, 'publicKeyRequest')
    const publicKey = member(key, 'publicKey')
    const token = isJsonObject(credentials) ? credentials['oidcIdentityToken'] : undefined
    const claims =
      typeof token === 'string' ? await readToken(token, issuerKey, clock()) : undefined
    if (claims === undefined) return refuse(401, 'There was an error processing the identity token')
    if (!isJsonObject(publicKey) || publicKey['algorithm'] !== 'ECDSA')
      return refuse(400, 'the algorithm is not ECDSA')
    const spki = parsePem(String(publicKey['content']), 'the key')[0]!.bytes
    const proof = parseBase64(String((key as JsonObject)['proofOfPossession']))
    const subject = encodeUtf8(String(claims['email'] ?? claims['sub']))
    if (proof === undefined || !(await parsePublicKey(spki).verify(proof, subject)))
      return refuse(400, 'The signature supplied in the request could not be verified')
    const certificates = (await issue(spki, claims, clock())).map((der) =>
      formatPem('CERTIFICATE', der),
    )
    return Response.json(
      { signedCertificateEmbeddedSct: { chain: { certificates } } },
      { status: 201 },
    )
  }

  return { chain: [intermediateDer, rootDer], issue, handle }
}

function member(value: unknown, name: string): unknown {
  return isJsonObject(value) ? value[name] : undefined
}

function refuse(status: number, message: string): Response {
  return Response.json({ code: 3, message, details: [] }, { status })
}

/** The claims of a token that this instance's identity provider signed, for this audience, and that has not expired. */
async function readToken(
  token: string,
  issuerKey: KeyPair,
  now: Date,
): Promise<JsonObject | undefined> {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const bytes = parseBase64Url(signature)
  const signed = encodeUtf8(`${header}.${payload}`)
  if (
    bytes === undefined ||
    !(await crypto.subtle.verify(
      { name: 'ECDSA', hash: 'SHA-256' },
      issuerKey.publicKey,
      bytes,
      signed,
    ))
  )
    return undefined
  const claims = parseJson(parseBase64Url(payload) ?? new Uint8Array(), 'the token')
  if (
    !isJsonObject(claims) ||
    claims['aud'] !== 'sigstore' ||
    Number(claims['exp']) * 1000 < now.getTime()
  )
    return undefined
  return 'email' in claims && claims['email_verified'] !== true ? undefined : claims
}
