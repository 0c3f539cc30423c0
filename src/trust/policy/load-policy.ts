import type { IdentityPolicy, KeyPolicy, Policy, SignatureFormat } from './policy.ts'
import { checkPolicy, type CheckedPolicy } from './policy-schema.ts'
import { loadPublicKey, type KeyInput, type PublicKey } from '../keys/public-key.ts'
import { parseTrustedRoot, type TrustedRoot } from '../root/trusted-root.ts'

/** A policy that was checked and loaded: no key is parsed twice. */
export type LoadedPolicy =
  | LoadedRule
  | { readonly anyOf: readonly LoadedPolicy[]; readonly threshold: number }
  | { readonly allOf: readonly LoadedPolicy[] }

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
 * @throws `TypeError` for a policy that is ambiguous, asks for what is not checked, or would let
 * anything through; `SignatureInvalid` `TRUST_ROOT_INVALID`; as `loadPublicKey` for its keys.
 */
export async function loadPolicy(policy: Policy): Promise<LoadedPolicy> {
  // Awaited, here and below: workerd reports what is refused at once as a rejection that nobody handles.
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
    throw new TypeError('without a `trustedRoot`, say `requireTransparencyLog: false`')
  const inputs = [policy.key].flat() as readonly KeyInput[]
  return { ...evidence, keys: await Promise.all(inputs.map(loadPublicKey)) }
}

function loadIdentityRule(policy: IdentityPolicy): LoadedRule {
  const { identity, issuer, extensions = {}, requireSct = true, time = 'any' } = policy
  const evidence = loadEvidence(policy)
  if (evidence.root === undefined)
    throw new TypeError('a `trustedRoot` is needed, as in `spindle/trust-root`')
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
