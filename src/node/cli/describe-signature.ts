import type { Descriptor, Reference } from '../../types.ts'
import type { StoredSignature } from '../../trust/stored-signatures.ts'
import { COSIGN_PREDICATE, PAYLOAD_KIND } from '../../trust/media-types.ts'

/** One signature in words. */
export function describeSignature({ signer, times, logEntries }: StoredSignature): string {
  const who =
    signer.kind === 'key'
      ? `the key ${signer.keyId}`
      : `${signer.identity}, vouched for by ${signer.issuer ?? 'nobody'}`
  const when = times.map(({ at, uri }) => `, at ${at.toISOString()} (${uri})`)
  const where = logEntries.map(({ log, index }) => `, entry ${index} of ${log}`)
  return `Signed by ${who}${when.join('')}${where.join('')}`
}

/** What was checked, in cosign's words. */
export function describeChecks(signatures: readonly StoredSignature[]): string[] {
  const isLogged = signatures.every(({ logEntries }) => logEntries.length > 0)
  const isKey = signatures.every(({ signer }) => signer.kind === 'key')
  return [
    'The following checks were performed on each of these signatures:',
    '  - The cosign claims were validated',
    ...(isLogged
      ? ['  - Existence of the claims in the transparency log was verified offline']
      : []),
    isKey
      ? '  - The signatures were verified against the specified public key'
      : '  - The code-signing certificate was verified using trusted certificate authority certificates',
  ]
}

/** Fulcio's copies of a GitHub token, by the names that cosign's answer has for them. */
const WORKFLOW = [
  'githubWorkflowTrigger',
  'githubWorkflowSha',
  'githubWorkflowName',
  'githubWorkflowRepository',
  'githubWorkflowRef',
] as const
/** The issuer stands there by its object identifier too. */
const ISSUER_OID = '1.3.6.1.4.1.57264.1.1'

/** As `cosign verify --output json` writes them, without the log's own bytes. */
export function toCosignJson(
  signatures: readonly StoredSignature[],
  { digest }: Descriptor,
  asked: Reference,
): object[] {
  return signatures.map((signature) => {
    const { signer, format, predicateType, reference, annotations } = signature
    const optional: Record<string, string> = { ...annotations }
    if (signer.kind === 'certificate') {
      optional['Subject'] = signer.identity
      if (signer.issuer !== undefined) optional['Issuer'] = optional[ISSUER_OID] = signer.issuer
      for (const name of WORKFLOW) {
        const value = signer.extensions[name]
        if (value !== undefined) optional[name] = value
      }
    }
    return {
      critical: {
        identity: { 'docker-reference': reference ?? String(asked) },
        image: { 'docker-manifest-digest': digest },
        type: format === 'legacy' ? PAYLOAD_KIND : (predicateType ?? COSIGN_PREDICATE),
      },
      optional: Object.keys(optional).length === 0 ? null : optional,
    }
  })
}
