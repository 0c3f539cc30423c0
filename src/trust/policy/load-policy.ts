import type { IdentityPolicy, KeyPolicy, Policy, SignatureFormat } from './policy.ts'
import { checkPolicy, type CheckedPolicy } from './policy-schema.ts'
import { loadPublicKey, type KeyInput, type PublicKey } from '../keys/public-key.ts'
import { parseTrustedRoot, type TrustedRoot } from '../root/trusted-root.ts'

/** A validated policy with parsed keys and trusted roots. */
export type LoadedPolicy =
  | LoadedRule
  | { readonly anyOf: readonly LoadedPolicy[]; readonly threshold: number }
  | { readonly allOf: readonly LoadedPolicy[] }

/** A loaded rule; has either `keys` or `certificate`. */
export interface LoadedRule {
  readonly keys?: readonly PublicKey[]
  readonly certificate?: Required<
    Pick<IdentityPolicy, 'identity' | 'issuer' | 'extensions' | 'requireSct' | 'time'>
  >
  readonly root: TrustedRoot | undefined
  readonly requireTransparencyLog: boolean
  readonly annotations: ReadonlyArray<readonly [string, string]>
  readonly predicateTypes: readonly string[] | undefined
  readonly formats: readonly SignatureFormat[]
  readonly reference: string | undefined
  readonly threshold: number
}

/**
 * Validates a policy and parses its keys and trusted roots.
 * @throws `TypeError` for an invalid policy; `SignatureInvalid` `TRUST_ROOT_INVALID`; the errors of
 * `loadPublicKey` for its keys.
 */
export async function loadPolicy(policy: Policy): Promise<LoadedPolicy> {
  // `return await`, here and below: workerd reports a promise that rejects at once as unhandled otherwise.
  return await load(checkPolicy(policy, 'library'))
}

async function load(policy: CheckedPolicy): Promise<LoadedPolicy> {
  if (policy.kind === 'key') return await loadKeyRule(policy.values as unknown as KeyPolicy)
  if (policy.kind === 'identity')
    return loadIdentityRule(policy.values as unknown as IdentityPolicy)
  const rules: LoadedPolicy[] = []
  for (const rule of policy.rules) rules.push(await load(rule))
  return policy.kind === 'allOf' ? { allOf: rules } : { anyOf: rules, threshold: policy.threshold }
}

async function loadKeyRule(policy: KeyPolicy): Promise<LoadedRule> {
  const evidence = loadEvidence(policy)
  if (evidence.root === undefined && evidence.requireTransparencyLog)
    throw new TypeError(
      'a policy with `key` needs a `trustedRoot` to verify log entries, or `requireTransparencyLog: false`',
    )
  const inputs = [policy.key].flat() as readonly KeyInput[]
  return { ...evidence, keys: await Promise.all(inputs.map(loadPublicKey)) }
}

function loadIdentityRule(policy: IdentityPolicy): LoadedRule {
  const { identity, issuer, extensions = {}, requireSct = true, time = 'any' } = policy
  const evidence = loadEvidence(policy)
  if (evidence.root === undefined)
    throw new TypeError(
      'a policy with `identity` needs a `trustedRoot`, such as `publicGoodRoot` of `spindle/trust-root`',
    )
  return {
    ...evidence,
    certificate: { identity, issuer, extensions: { ...extensions }, requireSct, time },
  }
}

function loadEvidence(
  policy: KeyPolicy | IdentityPolicy,
): Omit<LoadedRule, 'keys' | 'certificate'> {
  const { trustedRoot, requireTransparencyLog = true, threshold = 1, reference } = policy
  return {
    root: trustedRoot === undefined ? undefined : parseTrustedRoot(trustedRoot),
    requireTransparencyLog,
    annotations: Object.entries(policy.annotations ?? {}),
    predicateTypes: policy.predicateTypes && [...policy.predicateTypes],
    formats: [...(policy.formats ?? (['bundle', 'legacy'] as const))],
    reference,
    threshold,
  }
}
