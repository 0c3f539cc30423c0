/** A timestamp authority. @see https://www.rfc-editor.org/rfc/rfc3161 */
import {
  DER_BOOLEAN,
  derBoolean,
  derMembers,
  DER_INTEGER,
  DER_NULL,
  DER_OCTET_STRING,
  DER_SEQUENCE,
  DER_SET,
  formatDer,
  formatDerInteger,
  formatDerOid,
} from '../../src/bytes/der.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import {
  basicConstraints,
  createKeyPair,
  type Extension,
  extendedKeyUsage,
  formatTbs,
  generalizedTime,
  type KeyPair,
  keyUsage,
  nameOf,
  signatureAlgorithm,
  signCertificate,
  signEcdsa,
} from './certificates.ts'

const TIME_STAMPING = '1.3.6.1.5.5.7.3.8'
const SHA256 = '2.16.840.1.101.3.4.2.1'
const TST_INFO = '1.2.840.113549.1.9.16.1.4'
const SERIAL = 0x0777

export interface TimestampFlaws {
  /** The time that is confirmed, instead of now. */
  readonly at?: Date
  readonly nonce?: number
  readonly imprint?: Uint8Array
  readonly signers?: number
  /** Of the signing certificate, from the start. */
  readonly extensions?: readonly Extension[]
  readonly refuse?: boolean
}

export interface TimestampAuthority {
  /** DER, the signing certificate first. */
  readonly chain: readonly Uint8Array[]
  /** DER of another signing certificate under the same root. */
  issue(): Promise<Uint8Array>
  /** DER TimeStampResp over a SHA-256 digest. */
  stamp(
    imprint: Uint8Array,
    options?: { nonce?: Uint8Array; certificates?: boolean },
  ): Promise<Uint8Array<ArrayBuffer>>
  handle(request: Request): Promise<Response>
}

export async function createTimestampAuthority({
  clock,
  flaws,
  validFor,
}: {
  clock: () => Date
  flaws: () => TimestampFlaws
  validFor?: { notBefore: Date; notAfter: Date }
}): Promise<TimestampAuthority> {
  const root = await createKeyPair()
  const leaf = await createKeyPair()
  const lasting = validFor ?? {
    notBefore: new Date('2020-01-01T00:00:00Z'),
    notAfter: new Date('2039-12-31T23:59:59Z'),
  }
  const rootDer = await signCertificate(
    formatTbs({
      subject: 'stand-in time root',
      issuer: 'stand-in time root',
      spki: root.spki,
      ...lasting,
      extensions: [basicConstraints(true), keyUsage('keyCertSign')],
    }),
    root,
  )
  const certify = async ({ spki }: KeyPair, serial: number): Promise<Uint8Array> =>
    signCertificate(
      formatTbs({
        subject: 'stand-in time',
        issuer: 'stand-in time root',
        spki,
        ...lasting,
        serial,
        extensions: flaws().extensions ?? [
          keyUsage('digitalSignature'),
          extendedKeyUsage(TIME_STAMPING),
        ],
      }),
      root,
    )
  const leafDer = await certify(leaf, SERIAL)
  const sha256 = formatDer(DER_SEQUENCE, formatDerOid(SHA256))
  const attribute = (id: string, value: Uint8Array): Uint8Array =>
    formatDer(DER_SEQUENCE, formatDerOid(id), formatDer(DER_SET, value))

  async function stamp(
    imprint: Uint8Array,
    { nonce, certificates = true }: { nonce?: Uint8Array; certificates?: boolean } = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const flaw = flaws()
    const info = formatDer(
      DER_SEQUENCE,
      formatDerInteger(Uint8Array.of(1)),
      formatDerOid('1.3.6.1.4.1.57264.2'),
      formatDer(DER_SEQUENCE, sha256, formatDer(DER_OCTET_STRING, flaw.imprint ?? imprint)),
      formatDerInteger(crypto.getRandomValues(new Uint8Array(16))),
      generalizedTime(flaw.at ?? clock()),
      ...(flaw.nonce !== undefined
        ? [formatDerInteger(Uint8Array.of(flaw.nonce))]
        : nonce === undefined
          ? []
          : [formatDer(DER_INTEGER, nonce)]),
    )
    const attributes = [
      attribute('1.2.840.113549.1.9.3', formatDerOid(TST_INFO)),
      attribute('1.2.840.113549.1.9.4', formatDer(DER_OCTET_STRING, await rawDigestOf(info))),
    ]
    const signerInfo = formatDer(
      DER_SEQUENCE,
      formatDerInteger(Uint8Array.of(1)),
      formatDer(
        DER_SEQUENCE,
        nameOf('stand-in time root'),
        formatDerInteger(Uint8Array.of(SERIAL >> 8, SERIAL & 0xff)),
      ),
      sha256,
      formatDer(0xa0, ...attributes),
      signatureAlgorithm,
      formatDer(DER_OCTET_STRING, await signEcdsa(leaf, formatDer(DER_SET, ...attributes))),
    )
    const signedData = formatDer(
      DER_SEQUENCE,
      formatDerInteger(Uint8Array.of(3)),
      formatDer(DER_SET, sha256),
      formatDer(
        DER_SEQUENCE,
        formatDerOid(TST_INFO),
        formatDer(0xa0, formatDer(DER_OCTET_STRING, info)),
      ),
      ...(certificates ? [formatDer(0xa0, leafDer)] : []),
      formatDer(DER_SET, ...Array.from({ length: flaw.signers ?? 1 }, () => signerInfo)),
    )
    const contentInfo = formatDer(
      DER_SEQUENCE,
      formatDerOid('1.2.840.113549.1.7.2'),
      formatDer(0xa0, signedData),
    )
    return formatDer(
      DER_SEQUENCE,
      formatDer(DER_SEQUENCE, formatDerInteger(Uint8Array.of(0))),
      contentInfo,
    )
  }

  async function handle(request: Request): Promise<Response> {
    if (request.headers.get('content-type') !== 'application/timestamp-query')
      return new Response('unsupported content type', { status: 415 })
    if (flaws().refuse === true)
      return new Response('unavailable', { status: 503, headers: { 'retry-after': '0' } })
    const [, imprint, ...rest] = derMembers(new Uint8Array(await request.arrayBuffer()))
    const [algorithm, hashed] = derMembers(imprint)
    if (
      algorithm?.raw.length !== sha256.length &&
      algorithm?.raw.length !== sha256.length + formatDer(DER_NULL).length
    )
      return new Response('unsupported hash', { status: 400 })
    const nonce = rest.find(({ tag }) => tag === DER_INTEGER)?.value
    const wanted = rest.find(({ tag }) => tag === DER_BOOLEAN)
    const body = await stamp(hashed!.value, {
      ...(nonce && { nonce }),
      certificates: wanted !== undefined && derBoolean(wanted),
    })
    return new Response(body, {
      status: 201,
      headers: { 'content-type': 'application/timestamp-reply' },
    })
  }

  const issue = async (): Promise<Uint8Array> => certify(await createKeyPair(), SERIAL + 1)
  return { chain: [leafDer, rootDer], issue, stamp, handle }
}
