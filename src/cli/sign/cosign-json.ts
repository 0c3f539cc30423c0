import { parseJson } from '../../bytes/json.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { LOG_KEY, PAYLOAD_KIND, TIMESTAMP_KEY } from '../../trust/wire/media-types.ts'
import { escapeAsGo } from '../../trust/cosign/simple-signing.ts'
import type { StoredSignature } from '../../trust/cosign/stored-signatures.ts'
import type { Descriptor, Reference } from '../../types.ts'

const FULCIO = '1.3.6.1.4.1.57264.1'
/** Claims of a GitHub token in Fulcio certificates. cosign prints each by name and by object identifier. */
const WORKFLOW = {
  githubWorkflowTrigger: `${FULCIO}.2`,
  githubWorkflowSha: `${FULCIO}.3`,
  githubWorkflowName: `${FULCIO}.4`,
  githubWorkflowRepository: `${FULCIO}.5`,
  githubWorkflowRef: `${FULCIO}.6`,
} as const

/**
 * Formats signatures like `cosign verify --output json`: one array per artifact, on one line.
 *
 * For a bundle, cosign prints the artifact but not the signer; here the signer is added as in the
 * legacy format.
 */
export function toCosignJson(
  signatures: readonly StoredSignature[],
  { digest }: Descriptor,
  asked: Reference,
): string {
  const answers = signatures.map((signature) => {
    const { format, predicateType, reference } = signature
    const optional = {
      ...signature.annotations,
      ...describeSigner(signature),
      ...proofsOf(signature),
    }
    const keys = Object.keys(optional).sort()
    return {
      critical: {
        // cosign does not treat the subject name of a statement as a reference.
        identity: {
          'docker-reference': (format === 'legacy' ? reference : undefined) ?? nameOf(asked),
        },
        image: { 'docker-manifest-digest': digest },
        type: format === 'legacy' ? PAYLOAD_KIND : predicateType,
      },
      // Go sorts the keys of a map, and prints an empty map differently from nil.
      optional:
        format === 'legacy' && keys.length === 0
          ? null
          : Object.fromEntries(keys.map((key) => [key, optional[key as keyof typeof optional]])),
    }
  })
  return escapeAsGo(JSON.stringify(answers))
}

function describeSigner({ signer }: StoredSignature): Record<string, string> {
  if (signer.kind === 'key') return {}
  const { identity, issuer, extensions } = signer
  const said: Record<string, string> = { Subject: identity }
  if (issuer !== undefined) said['Issuer'] = said[`${FULCIO}.1`] = issuer
  for (const [name, id] of Object.entries(WORKFLOW)) {
    const value = extensions[name as keyof typeof WORKFLOW]
    if (value !== undefined) said[name] = said[id] = value
  }
  return said
}

/** The log entry and the timestamp, which only the legacy format has in annotations. */
function proofsOf({ format, descriptor }: StoredSignature): Record<string, unknown> {
  const { annotations = {} } = descriptor
  const [log, time] = [annotations[LOG_KEY], annotations[TIMESTAMP_KEY]]
  return format !== 'legacy'
    ? {}
    : {
        ...(log && { Bundle: parseJson(encodeUtf8(log), 'the log bundle') }),
        ...(time && { RFC3161Timestamp: parseJson(encodeUtf8(time), 'the timestamp') }),
      }
}

/** The full name, as written by cosign's Go library. */
function nameOf({ registry, repository, digest, tag = 'latest' }: Reference): string {
  const host = registry === 'docker.io' ? 'index.docker.io' : registry
  return `${host}/${repository}${digest === undefined ? `:${tag}` : `@${digest}`}`
}
