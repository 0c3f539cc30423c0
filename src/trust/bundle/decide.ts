/** Evaluates a policy. */
import { PolicyRejected, SignatureInvalid } from '../../errors.ts'
import type { LoadedPolicy, LoadedRule } from '../policy/load-policy.ts'
import type { Proof, SignedBy } from './verify-signature.ts'

/**
 * Finds signatures by as many different signers as the rule's `threshold`; rejects if there are too few.
 * `allSigners`: finds every signer that satisfies the rule instead of stopping at the threshold.
 */
type Examine<T> = (
  rule: LoadedRule,
  options: { readonly allSigners: boolean },
) => Promise<readonly T[]>

type AnyOf = Extract<LoadedPolicy, { readonly threshold: number; readonly anyOf: unknown }>

/**
 * Finds the signatures that satisfy a policy.
 * @throws the error of `examine`; `PolicyRejected` when too few rules of an `anyOf` are satisfied.
 */
export async function decide<T extends Proof>(
  policy: LoadedPolicy,
  examine: Examine<T>,
): Promise<readonly T[]> {
  if ('anyOf' in policy)
    return policy.threshold === 1
      ? satisfyOne(policy, (rule) => decide(rule, examine))
      : satisfySeveral(policy, examine)
  if (!('allOf' in policy)) return examine(policy, { allSigners: false })
  const signatures: T[] = []
  for (const rule of policy.allOf) signatures.push(...(await decide(rule, examine)))
  return signatures
}

async function satisfyOne<T>(
  { anyOf }: AnyOf,
  satisfy: (rule: LoadedPolicy) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const failures: Refusal[] = []
  for (const rule of anyOf) {
    try {
      return await satisfy(rule)
    } catch (error) {
      failures.push(asRefusal(error))
    }
  }
  throw refuse('no rule of `anyOf` is satisfied', failures)
}

async function satisfySeveral<T extends Proof>(
  { anyOf, threshold }: AnyOf,
  examine: Examine<T>,
): Promise<readonly T[]> {
  const satisfied: (readonly T[])[] = []
  const failures: Refusal[] = []
  let assigned: readonly T[] = []
  for (const rule of anyOf) {
    try {
      satisfied.push(await findAllSigners(rule, examine))
      assigned = assignSigners(satisfied)
      if (assigned.length >= threshold) return assigned
    } catch (error) {
      failures.push(asRefusal(error))
    }
  }
  const count = `${assigned.length} of ${threshold}`
  throw refuse(
    `${count} required rules of \`anyOf\` are satisfied, each by a different signer`,
    failures,
  )
}

/** Finds one signature of each signer that satisfies the rule alone. */
async function findAllSigners<T extends Proof>(
  policy: LoadedPolicy,
  examine: Examine<T>,
): Promise<readonly T[]> {
  if ('allOf' in policy)
    throw new TypeError('`allOf` is not allowed inside an `anyOf` with a `threshold` above 1')
  if (!('anyOf' in policy)) return examine(policy, { allSigners: true })
  const found: T[] = []
  const failures: Refusal[] = []
  for (const rule of policy.anyOf) {
    try {
      found.push(...(await findAllSigners(rule, examine)))
    } catch (error) {
      failures.push(asRefusal(error))
    }
  }
  if (found.length === 0) throw refuse('no rule of `anyOf` is satisfied', failures)
  return found
}

/**
 * Assigns a signature to as many rules as possible, all by different signers: a maximum bipartite matching
 * by augmenting paths. Taking the first signer of each rule can find too few.
 */
function assignSigners<T extends Proof>(satisfied: readonly (readonly T[])[]): readonly T[] {
  const assigned = new Map<string, { readonly rule: number; readonly signature: T }>()
  const assign = (rule: number, tried: Set<string>): boolean =>
    satisfied[rule]!.some((signature) => {
      const signer = signerName(signature)
      if (tried.has(signer)) return false
      tried.add(signer)
      const taken = assigned.get(signer)
      if (taken !== undefined && !assign(taken.rule, tried)) return false
      assigned.set(signer, { rule, signature })
      return true
    })
  satisfied.forEach((_, rule) => assign(rule, new Set()))
  return [...assigned.values()].map(({ signature }) => signature)
}

/**
 * Identifies a signer across signatures and formats. An identity is the same signer for every issuer and in
 * any capitalization, because a mailbox has one owner.
 */
export function signerName({ signer }: { readonly signer: SignedBy }): string {
  return signer.kind === 'key' ? `key ${signer.keyId}` : `identity ${signer.identity.toLowerCase()}`
}

type Refusal = PolicyRejected | SignatureInvalid

/** Rethrows errors that say nothing about the signatures, such as network errors. */
function asRefusal(error: unknown): Refusal {
  if (error instanceof PolicyRejected || error instanceof SignatureInvalid) return error
  throw error
}

function refuse(what: string, failures: readonly Refusal[]): PolicyRejected {
  const isUnsigned = failures.every(
    (error) => error instanceof PolicyRejected && error.reason === 'NO_SIGNATURES',
  )
  const reasons = failures.map(({ message }) => message).join('; ')
  return new PolicyRejected(
    isUnsigned && failures.length > 0 ? 'NO_SIGNATURES' : 'NO_MATCHING_SIGNATURE',
    reasons === '' ? what : `${what}: ${reasons}`,
    failures.flatMap((error) => (error instanceof PolicyRejected ? error.rejected : [{ error }])),
  )
}
