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

export interface VerifyResult {
  /** What was verified: pull or run this digest, never the tag again. */
  readonly descriptor: Descriptor
  /** Those that the policy asked for; it stops at enough. */
  readonly signatures: readonly [StoredSignature, ...StoredSignature[]]
  /** What else was looked at, and why it does not count. */
  readonly rejected: readonly RejectedSignature[]
}

/**
 * Looks for signatures of an artifact that satisfy a policy.
 *
 * @param descriptor What its reference resolved to, once.
 * @throws `PolicyRejected` when there are not enough; errors of the store as they are: trouble on
 * the way is never taken for an unsigned artifact.
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

/** @param most Different signers after which no further signature is read. */
async function collect(
  store: SignatureStore,
  subject: Descriptor,
  rule: LoadedRule,
  most: number,
  rejected: RejectedSignature[],
  options: OperationOptions,
): Promise<StoredSignature[]> {
  const bySigner = new Map<string, StoredSignature>()
  const here: RejectedSignature[] = []
  for await (const candidate of findSignatures(store, subject, rule.formats, options)) {
    options.signal?.throwIfAborted()
    try {
      if ('error' in candidate) throw candidate.error
      const signature = await candidate.verify(rule)
      bySigner.set(signerName(signature), signature)
      if (bySigner.size >= most) break
    } catch (error) {
      if (!isUnreadable(error)) throw error
      here.push({ source: candidate.source, error })
    }
  }
  rejected.push(...here)
  if (bySigner.size >= rule.threshold) return [...bySigner.values()]
  throw notEnough(subject, rule, bySigner.size, here)
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
  const asked = rule.threshold === 1 ? 'no signature' : `${found} of ${rule.threshold} signers`
  return new PolicyRejected(
    'NO_MATCHING_SIGNATURE',
    `${asked} of ${digest} satisfies the policy:${why}`,
    rejected,
  )
}
