/** Requests short-lived certificates from Fulcio. @see https://github.com/sigstore/fulcio/blob/main/fulcio.proto */
import { formatBase64 } from '../../bytes/base64.ts'
import { parseJson } from '../../bytes/json.ts'
import { formatPem, parsePem } from '../../bytes/pem.ts'
import { sameBytes } from '../../bytes/der.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError, SignatureInvalid } from '../../errors.ts'
import { parseCertificate } from '../x509/certificate.ts'
import { assertPathTime, buildPath, CODE_SIGNING, MAX_PATH } from '../x509/certificate-path.ts'
import { parseIdentity, type CertificateIdentity } from '../x509/identity.ts'
import { parseIdentityToken } from './identity-token.ts'
import { verifyScts } from '../log/sct.ts'
import { callService, type ServiceOptions } from '../wire/service-request.ts'
import { signChecked, type Signer } from '../keys/signer.ts'
import type { TrustedRoot } from '../root/trusted-root.ts'
import { readField } from '../wire/wire-json.ts'

interface Certified {
  /** DER, leaf first. */
  readonly certificates: readonly Uint8Array[]
  readonly identity: CertificateIdentity
}

/**
 * Requests a certificate for a key and the identity of a token.
 *
 * Verifies the returned certificate: the key, a path to the trusted root, an SCT, and the e-mail address of
 * the token.
 * @throws `ERR_CREDENTIALS_INVALID` for the token; `ResponseError`; `SignatureInvalid` for an invalid
 * certificate.
 */
export async function requestCertificate(
  url: string,
  signer: Signer,
  token: string,
  audience: string,
  root: TrustedRoot,
  options: ServiceOptions,
): Promise<Certified> {
  const claims = parseIdentityToken(token, audience)
  const proof = await signChecked(signer, encodeUtf8(claims.subject))
  const { bytes } = await callService(
    {
      method: 'POST',
      url: `${url.replace(/\/$/, '')}/api/v2/signingCert`,
      contentType: 'application/json',
      body: JSON.stringify({
        credentials: { oidcIdentityToken: token },
        publicKeyRequest: {
          publicKey: { algorithm: 'ECDSA', content: formatPem('PUBLIC KEY', signer.publicKey) },
          proofOfPossession: formatBase64(proof),
        },
      }),
    },
    options,
  )
  const answer = readField(parseJson(bytes, 'the answer of Fulcio'), 'answer')
  const embedded = answer.get('signedCertificateEmbeddedSct').optional()
  if (embedded === undefined)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'this Fulcio instance issues certificates without an embedded SCT: configure it with a certificate transparency log, or sign with a key',
    )
  const certificates = embedded
    .get('chain')
    .get('certificates')
    .list(MAX_PATH)
    .map((pem) => parsePem(pem.string(), 'a certificate of Fulcio')[0]!.bytes)
  if (certificates.length === 0)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      'the response of Fulcio contains no certificate: check its address',
    )

  const [leaf, ...intermediates] = certificates.map(parseCertificate)
  if (!sameBytes(leaf!.spki, signer.publicKey))
    throw new SignatureInvalid(
      'KEY_MISMATCH',
      'Fulcio returned a certificate for another key: check its address, and do not trust this instance',
    )
  let failure: unknown = new SignatureInvalid(
    'CERT_CHAIN',
    'the trusted root contains no certificate authority: use the trusted root of this Fulcio instance',
  )
  for (const authority of root.certificateAuthorities) {
    try {
      const path = await buildPath(leaf!, authority, CODE_SIGNING, intermediates)
      assertPathTime(path, authority, leaf!.notBefore)
      await verifyScts(leaf!, path[1] ?? leaf!, root.ctlogs)
      const identity = parseIdentity(leaf!)
      if (claims.email !== undefined && identity.identity !== claims.email)
        throw new SignatureInvalid(
          'IDENTITY_MISMATCH',
          'Fulcio returned a certificate for another identity than that of the token: check its address, and do not trust this instance',
        )
      return { certificates, identity }
    } catch (cause) {
      if (!(cause instanceof SpindleError)) throw cause
      failure = cause
    }
  }
  throw failure
}
