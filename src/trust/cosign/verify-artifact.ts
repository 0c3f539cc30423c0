import { PolicyRejected, type RejectedSignature } from '../../errors.ts'
import type { Descriptor, OperationOptions } from '../../types.ts'
import { decide, signerName } from '../bundle/decide.ts'
import type { LoadedPolicy, LoadedRule } from '../policy/load-policy.ts'
import {
  findSignatures,
  isUnreadable,
  type SignatureStore,
  type StoredSignature,
} from './stored-signatures.ts'

/** The verified artifact and its signatures. */
export interface VerifyResult {
  /** The verified artifact. Pull or run this digest; do not resolve the tag again. */
  readonly descriptor: Descriptor
  /** Signatures that satisfy the policy; the search stops when there are enough. */
  readonly signatures: readonly [StoredSignature, ...StoredSignature[]]
  /** Other signatures that were read, and why each does not satisfy the policy. */
  readonly rejected: readonly RejectedSignature[]
}

/**
 * Finds signatures of an artifact that satisfy a policy.
 *
 * @param descriptor The resolved artifact.
 * @throws `PolicyRejected` when there are not enough; errors of the store unchanged, so that a network error
 * is never reported as an unsigned artifact.
 */
export async function verifyArtifact(
  store: SignatureStore,
  descriptor: Descriptor,
  policy: LoadedPolicy,
  options: OperationOptions = {},
): Promise<VerifyResult> {
  const rejected: RejectedSignature[] = []
  const signatures = await decide(policy, (rule, { allSigners }) =>
    collect(store, descriptor, rule, allSigners ? Infinity : rule.threshold, rejected, options),
  )
  return {
    descriptor,
    signatures: signatures as readonly [StoredSignature, ...StoredSignature[]],
    rejected,
  }
}

/** @param most Number of different signers at which to stop. */
async function collect(
  store: SignatureStore,
  subject: Descriptor,
  rule: LoadedRule,
  most: number,
  rejected: RejectedSignature[],
  options: OperationOptions,
): Promise<StoredSignature[]> {
  const bySigner = new Map<string, StoredSignature>()
  const rejectedByRule: RejectedSignature[] = []
  for await (const candidate of findSignatures(store, subject, rule.formats, options)) {
    options.signal?.throwIfAborted()
    try {
      if ('error' in candidate) throw candidate.error
      const signature = await candidate.verify(rule)
      bySigner.set(signerName(signature), signature)
      if (bySigner.size >= most) break
    } catch (error) {
      if (!isUnreadable(error)) throw error
      rejectedByRule.push({ source: candidate.source, error })
    }
  }
  rejected.push(...rejectedByRule)
  if (bySigner.size >= rule.threshold) return [...bySigner.values()]
  throw notEnough(subject, rule, bySigner.size, rejectedByRule)
}

function notEnough(
  { digest }: Descriptor,
  rule: LoadedRule,
  found: number,
  rejected: readonly RejectedSignature[],
): PolicyRejected {
  if (found === 0 && rejected.length === 0)
    return new PolicyRejected(
      'NO_SIGNATURES',
      `${digest} is not signed: no signature is stored with it`,
      [],
    )
  const why = rejected.map(({ error }) => `\n- ${error.message}`).join('')
  const count =
    rule.threshold === 1
      ? `no signature of ${digest} satisfies the policy`
      : `${found} of ${rule.threshold} signers required by the policy signed ${digest}`
  return new PolicyRejected('NO_MATCHING_SIGNATURE', `${count}:${why}`, rejected)
}
