/** Who a Fulcio certificate names. @see https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md */
import { derOid, derUtf8, derElements, expectDer, parseDer, derMembers } from '../../bytes/der.ts'
import { decodeUtf8 } from '../../bytes/text.ts'
import { SignatureInvalid } from '../../errors.ts'
import type { Certificate } from './certificate.ts'
import { SUBJECT_ALT_NAME } from './certificate-path.ts'

const FULCIO = '1.3.6.1.4.1.57264.1'
const ISSUER_V1 = 1
const ISSUER_V2 = 8

/** Arc under Fulcio's identifier; those up to 6 are raw text, later ones DER strings. */
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

/** @internal Names that `extensions` of a policy may have. */
export const EXTENSION_NAMES: readonly string[] = Object.keys(EXTENSIONS)

/** What Fulcio copied from the identity token, by the names of its documentation. */
export interface CertificateExtensions {
  readonly githubWorkflowTrigger?: string
  readonly githubWorkflowSha?: string
  readonly githubWorkflowName?: string
  readonly githubWorkflowRepository?: string
  readonly githubWorkflowRef?: string
  readonly buildSignerUri?: string
  readonly buildSignerDigest?: string
  readonly runnerEnvironment?: string
  readonly sourceRepositoryUri?: string
  readonly sourceRepositoryDigest?: string
  readonly sourceRepositoryRef?: string
  readonly sourceRepositoryId?: string
  readonly sourceRepositoryOwnerUri?: string
  readonly sourceRepositoryOwnerId?: string
  readonly buildConfigUri?: string
  readonly buildConfigDigest?: string
  readonly buildTrigger?: string
  readonly runInvocationUri?: string
  readonly sourceRepositoryVisibility?: string
  readonly deploymentEnvironment?: string
  readonly tokenSubject?: string
}

export interface CertificateIdentity {
  /** The subject alternative name: an e-mail address, a URI or a user name. */
  readonly identity: string
  readonly identityType: 'email' | 'uri' | 'username'
  /** Who vouched for it; absent in certificates of other authorities than Fulcio. */
  readonly issuer?: string
  readonly extensions: CertificateExtensions
}

/** @throws `SignatureInvalid` `IDENTITY_MISMATCH` or `ISSUER_MISMATCH` when the certificate is not of one mind. */
export function parseIdentity(certificate: Certificate): CertificateIdentity {
  const text = (arc: number): string | undefined => {
    const value = certificate.extensions.get(`${FULCIO}.${arc}`)?.value
    return value === undefined || arc >= ISSUER_V2
      ? value && derUtf8(parseDer(value))
      : decodeUtf8(value)
  }
  const older = text(ISSUER_V1)
  const issuer = text(ISSUER_V2) ?? older
  if (older !== undefined && older !== issuer)
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
      `the certificate has ${names.length} subject alternative names, not one`,
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
    'the subject alternative name is no e-mail address, URI or user name',
  )
}

/** Exact for a string; a pattern has to match the whole. */
export function matches(criterion: string | RegExp, value: string | undefined): boolean {
  if (value === undefined) return false
  if (typeof criterion === 'string') return criterion === value
  return new RegExp(`^(?:${criterion.source})$`, criterion.flags).test(value)
}
