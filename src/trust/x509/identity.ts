/** Identity and extensions of Fulcio certificates. @see https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md */
import { derOid, derUtf8, derElements, expectDer, parseDer, derMembers } from '../../bytes/der.ts'
import { decodeUtf8 } from '../../bytes/text.ts'
import { SignatureInvalid } from '../../errors.ts'
import type { Certificate } from './certificate.ts'
import { SUBJECT_ALT_NAME } from './certificate-path.ts'

const FULCIO = '1.3.6.1.4.1.57264.1'
const ISSUER_V1 = 1
const ISSUER_V2 = 8

/** Last arc of the object identifier. Arcs up to 6 hold raw UTF-8, later ones a DER UTF8String. */
const EXTENSIONS = {
  githubWorkflowTrigger: 2,
  githubWorkflowSha: 3,
  githubWorkflowName: 4,
  githubWorkflowRepository: 5,
  githubWorkflowRef: 6,
  buildSignerUri: 9,
  buildSignerDigest: 10,
  runnerEnvironment: 11,
  sourceRepositoryUri: 12,
  sourceRepositoryDigest: 13,
  sourceRepositoryRef: 14,
  sourceRepositoryId: 15,
  sourceRepositoryOwnerUri: 16,
  sourceRepositoryOwnerId: 17,
  buildConfigUri: 18,
  buildConfigDigest: 19,
  buildTrigger: 20,
  runInvocationUri: 21,
  sourceRepositoryVisibility: 22,
  deploymentEnvironment: 23,
  tokenSubject: 24,
} as const satisfies Record<keyof CertificateExtensions, number>

/** @internal Keys allowed in a policy's `extensions`. */
export const EXTENSION_NAMES: readonly string[] = Object.keys(EXTENSIONS)

/**
 * Claims of the identity token that Fulcio copied into the certificate; each is absent where the
 * certificate has no such extension.
 *
 * The numbers are the last arc of the object identifier 1.3.6.1.4.1.57264.1.
 * @see https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
 */
export interface CertificateExtensions {
  /** GitHub event that triggered the workflow, such as `push` (2, deprecated: see `buildTrigger`). */
  readonly githubWorkflowTrigger?: string
  /** Commit of the workflow run (3, deprecated: see `sourceRepositoryDigest`). */
  readonly githubWorkflowSha?: string
  /** Name of the workflow (4, deprecated: see `buildConfigUri`). */
  readonly githubWorkflowName?: string
  /** Repository of the workflow, `owner/name` (5, deprecated: see `sourceRepositoryUri`). */
  readonly githubWorkflowRepository?: string
  /** Git ref of the workflow run (6, deprecated: see `sourceRepositoryRef`). */
  readonly githubWorkflowRef?: string
  /** URI of the build instructions that signed, such as a reusable workflow (9). */
  readonly buildSignerUri?: string
  /** Commit of the build instructions (10). */
  readonly buildSignerDigest?: string
  /** `github-hosted` or `self-hosted` (11). */
  readonly runnerEnvironment?: string
  /** URL of the source repository (12). */
  readonly sourceRepositoryUri?: string
  /** Source commit of the build (13). */
  readonly sourceRepositoryDigest?: string
  /** Git ref of the build's source, such as `refs/heads/main` (14). */
  readonly sourceRepositoryRef?: string
  /** Immutable identifier of the source repository (15). */
  readonly sourceRepositoryId?: string
  /** URL of the owner of the source repository (16). */
  readonly sourceRepositoryOwnerUri?: string
  /** Immutable identifier of the owner of the source repository (17). */
  readonly sourceRepositoryOwnerId?: string
  /** URL of the top-level build configuration (18). */
  readonly buildConfigUri?: string
  /** Commit of the top-level build configuration (19). */
  readonly buildConfigDigest?: string
  /** Event that started the build, such as `push` (20). */
  readonly buildTrigger?: string
  /** URL of the build run (21). */
  readonly runInvocationUri?: string
  /** Visibility of the source repository at the time of signing: `public` or `private` (22). */
  readonly sourceRepositoryVisibility?: string
  /** Deployment environment of the build (23). */
  readonly deploymentEnvironment?: string
  /** `sub` claim of the identity token (24). */
  readonly tokenSubject?: string
}

/** Signer named by a certificate. */
export interface CertificateIdentity {
  /** The subject alternative name: an e-mail address, a URI or a user name. */
  readonly identity: string
  /** Kind of the subject alternative name. */
  readonly identityType: 'email' | 'uri' | 'username'
  /** OpenID Connect issuer of the identity token; absent in certificates of authorities other than Fulcio. */
  readonly issuer?: string
  /** Claims copied from the identity token. */
  readonly extensions: CertificateExtensions
}

/**
 * Reads the identity, issuer and extensions of a certificate.
 * @throws `SignatureInvalid` `IDENTITY_MISMATCH` unless it has exactly one supported subject alternative
 * name; `ISSUER_MISMATCH` when its two issuer extensions differ.
 */
export function parseIdentity(certificate: Certificate): CertificateIdentity {
  const text = (arc: number): string | undefined => {
    const value = certificate.extensions.get(`${FULCIO}.${arc}`)?.value
    return value === undefined || arc >= ISSUER_V2
      ? value && derUtf8(parseDer(value))
      : decodeUtf8(value)
  }
  const issuerV1 = text(ISSUER_V1)
  const issuer = text(ISSUER_V2) ?? issuerV1
  if (issuerV1 !== undefined && issuerV1 !== issuer)
    throw new SignatureInvalid('ISSUER_MISMATCH', 'the certificate names two different issuers')
  const extensions: Record<string, string> = {}
  for (const [name, arc] of Object.entries(EXTENSIONS)) {
    const value = text(arc)
    if (value !== undefined) extensions[name] = value
  }
  return { ...parseAltName(certificate), ...(issuer !== undefined && { issuer }), extensions }
}

function parseAltName(
  certificate: Certificate,
): Pick<CertificateIdentity, 'identity' | 'identityType'> {
  const extension = certificate.extensions.get(SUBJECT_ALT_NAME)
  const names = extension === undefined ? [] : derMembers(extension.value)
  const [name, surplus] = names
  if (name === undefined || surplus !== undefined)
    throw new SignatureInvalid(
      'IDENTITY_MISMATCH',
      `the certificate should have one subject alternative name and has ${names.length}`,
    )
  const { tag, value } = name
  if (tag === 0x81 || tag === 0x86) {
    const identity = decodeUtf8(value)
    if (identity !== undefined) return { identity, identityType: tag === 0x81 ? 'email' : 'uri' }
  }
  if (tag === 0xa0) {
    const [id, wrapped] = derElements(value)
    if (derOid(id) === `${FULCIO}.7`)
      return {
        identity: derUtf8(derElements(expectDer(wrapped, 0xa0).value)[0]),
        identityType: 'username',
      }
  }
  throw new SignatureInvalid(
    'IDENTITY_MISMATCH',
    "the certificate's subject alternative name is not an e-mail address, a URI or a user name",
  )
}

/** Compares exactly with a string; a regular expression has to match the entire value. */
export function matches(criterion: string | RegExp, value: string | undefined): boolean {
  if (value === undefined) return false
  if (typeof criterion === 'string') return criterion === value
  return new RegExp(`^(?:${criterion.source})$`, criterion.flags).test(value)
}
