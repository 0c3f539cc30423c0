/**
 * A whole sigstore instance behind one `fetch`: Fulcio, Rekor v1 and v2, a timestamp authority, an
 * identity provider and the trusted root that knows them.
 */
import { formatBase64, formatBase64Url } from '../../src/bytes/base64.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { createCertificateLog } from './certificate-log.ts'
import { createKeyPair } from './certificates.ts'
import { type CertificateFlaws, createFulcio, type Fulcio } from './fulcio.ts'
import { createIdentityProvider } from './identity-provider.ts'
import { createRekorV1, createRekorV2, type RekorFlaw, type RekorLog } from './rekor.ts'
import {
  createTimestampAuthority,
  type TimestampAuthority,
  type TimestampFlaws,
} from './timestamp-authority.ts'

const ISSUER = 'https://accounts.sigstore.test'
const AUDIENCE = 'sigstore'

export interface SigstoreFlaws {
  readonly certificate?: CertificateFlaws
  readonly rekor?: RekorFlaw
  readonly timestamp?: TimestampFlaws
}

export interface SigstoreInstance {
  /** Answers all its addresses; anything else is 404. */
  readonly fetch: (request: Request) => Promise<Response>
  /** All of them, with the log of version 1. */
  readonly services: InstanceServices
  /** With the log of version 2. */
  readonly servicesV2: InstanceServices
  /** The issuer of identity tokens, which logs people in on another device. */
  readonly issuer: string
  /** `trusted_root.json` of this instance, a fresh copy. */
  readonly trustedRoot: () => TrustedRootJson
  /** An identity token for this instance, valid for five minutes. */
  readonly issueToken: (claims?: Record<string, unknown>) => Promise<string>
  /** Requests so far, as `METHOD path`. */
  readonly requests: readonly string[]
  readonly fulcio: Fulcio
  readonly rekor: RekorLog
  readonly rekorV2: RekorLog
  readonly timestamps: TimestampAuthority
  /** What is done wrong from now on. */
  flaws: SigstoreFlaws
}

export interface InstanceServices {
  readonly fulcio: string
  readonly rekor: { readonly url: string; readonly version: 1 | 2 }
  readonly timestamp: string
}

export interface TrustedRootJson {
  mediaType: string
  tlogs: LogJson[]
  ctlogs: LogJson[]
  certificateAuthorities: AuthorityJson[]
  timestampAuthorities: AuthorityJson[]
}
export interface LogJson {
  baseUrl: string
  hashAlgorithm: string
  publicKey: { rawBytes: string; keyDetails: string; validFor: { start: string; end?: string } }
  logId: { keyId: string }
}
export interface AuthorityJson {
  subject: { organization: string; commonName: string }
  uri: string
  certChain: { certificates: { rawBytes: string }[] }
  validFor: { start: string; end?: string }
}

export interface SigstoreInstanceOptions {
  /** Default: the machine's. */
  readonly clock?: () => Date
  /** Wrong from the start: some flaws are in the authorities' own certificates. */
  readonly flaws?: SigstoreFlaws
}

/**
 * Exported from `spindle/mocks`.
 *
 * @example Sign and verify keyless in a test, with no network
 * ```ts
 * const sigstore = await createSigstoreInstance()
 * const signer = createKeylessSigner({
 *   fetch: sigstore.fetch,
 *   services: sigstore.services,
 *   trustedRoot: sigstore.trustedRoot(),
 *   identityToken: () => sigstore.issueToken(),
 * })
 * ```
 */
export async function createSigstoreInstance(
  options: SigstoreInstanceOptions = {},
): Promise<SigstoreInstance> {
  const { clock = () => new Date() } = options
  let flaws = options.flaws ?? {}
  const issuerKey = await createKeyPair()
  const [log, unknownLog] = [await createCertificateLog(), await createCertificateLog()]
  const fulcio = await createFulcio({
    clock,
    log,
    unknownLog,
    issuerKey,
    flaws: () => flaws.certificate ?? {},
  })
  const rekor = await createRekorV1({ host: 'rekor.sigstore.test', clock, flaw: () => flaws.rekor })
  const rekorV2 = await createRekorV2({
    host: 'log2026-1.rekor.sigstore.test',
    clock,
    flaw: () => flaws.rekor,
  })
  const timestamps = await createTimestampAuthority({ clock, flaws: () => flaws.timestamp ?? {} })
  const ctLogId = await rawDigestOf(log.key.spki)

  const validFor = (): { start: string } => ({ start: '2020-01-01T00:00:00Z' })
  const subject = { organization: 'sigstore.test', commonName: 'stand-in' }
  const logJson = (
    baseUrl: string,
    spki: Uint8Array,
    keyDetails: string,
    logId: Uint8Array,
  ): LogJson => ({
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: formatBase64(spki), keyDetails, validFor: validFor() },
    logId: { keyId: formatBase64(logId) },
  })
  const authorityJson = (uri: string, chain: readonly Uint8Array[]): AuthorityJson => ({
    subject,
    uri,
    certChain: { certificates: chain.map((der) => ({ rawBytes: formatBase64(der) })) },
    validFor: validFor(),
  })
  const urls = {
    fulcioUrl: 'https://fulcio.sigstore.test',
    rekorUrl: 'https://rekor.sigstore.test',
    rekorV2Url: 'https://log2026-1.rekor.sigstore.test',
    timestampUrl: 'https://timestamp.sigstore.test/api/v1/timestamp',
  }
  const trustedRoot: TrustedRootJson = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [
      logJson(urls.rekorUrl, rekor.spki, rekor.keyDetails, rekor.logId),
      logJson(urls.rekorV2Url, rekorV2.spki, rekorV2.keyDetails, rekorV2.logId),
    ],
    ctlogs: [
      logJson('https://ctfe.sigstore.test', log.key.spki, 'PKIX_ECDSA_P256_SHA_256', ctLogId),
    ],
    certificateAuthorities: [authorityJson(urls.fulcioUrl, fulcio.chain)],
    timestampAuthorities: [authorityJson(urls.timestampUrl, timestamps.chain)],
  }

  const routes: readonly (readonly [string, string, (request: Request) => Promise<Response>])[] = [
    ['POST', `${urls.fulcioUrl}/api/v2/signingCert`, fulcio.handle],
    ['POST', `${urls.rekorUrl}/api/v1/log/entries`, rekor.handle],
    ['GET', `${urls.rekorUrl}/api/v1/log/entries/`, rekor.handle],
    ['POST', `${urls.rekorV2Url}/api/v2/log/entries`, rekorV2.handle],
    ['POST', urls.timestampUrl, timestamps.handle],
  ]
  const requests: string[] = []
  const issueToken = async (claims: Record<string, unknown> = {}): Promise<string> => {
    const now = Math.floor(clock().getTime() / 1000)
    const defaults = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: '1234',
      email: 'dev@example.org',
      email_verified: true,
      iat: now,
      exp: now + 300,
    }
    const encode = (value: unknown): string => formatBase64Url(encodeUtf8(JSON.stringify(value)))
    const signed = `${encode({ alg: 'ES256', typ: 'JWT' })}.${encode({ ...defaults, ...claims })}`
    const signature = await crypto.subtle.sign(
      { name: 'ECDSA', hash: 'SHA-256' },
      issuerKey.privateKey,
      encodeUtf8(signed),
    )
    return `${signed}.${formatBase64Url(new Uint8Array(signature))}`
  }
  const provider = createIdentityProvider(ISSUER, AUDIENCE, issueToken)

  return {
    issuer: ISSUER,
    issueToken,
    services: {
      fulcio: urls.fulcioUrl,
      rekor: { url: urls.rekorUrl, version: 1 },
      timestamp: urls.timestampUrl,
    },
    servicesV2: {
      fulcio: urls.fulcioUrl,
      rekor: { url: urls.rekorV2Url, version: 2 },
      timestamp: urls.timestampUrl,
    },
    fulcio,
    rekor,
    rekorV2,
    timestamps,
    requests,
    trustedRoot: () => structuredClone(trustedRoot),
    async fetch(request) {
      requests.push(`${request.method} ${new URL(request.url).pathname}`)
      if (request.url.startsWith(`${ISSUER}/`)) return provider.handle(request)
      const route = routes.find(
        ([method, url]) =>
          method === request.method &&
          (method === 'GET' ? request.url.startsWith(url) : request.url === url),
      )
      return route === undefined
        ? Response.json({ code: 5, message: 'Not Found' }, { status: 404 })
        : route[2](request)
    },
    get flaws() {
      return flaws
    },
    set flaws(next) {
      flaws = next
    },
  }
}
