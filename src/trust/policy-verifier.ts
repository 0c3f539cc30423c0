import type { Verifier } from '../types.ts'
import { verifyArtifact } from './cosign/verify-artifact.ts'
import { loadPolicy } from './policy/load-policy.ts'
import type { Policy } from './policy/policy.ts'

/**
 * Makes a verifier of a policy, which looks for signatures beside the artifact.
 * @throws `TypeError` for an invalid policy.
 */
export async function createPolicyVerifier(policy: Policy): Promise<Verifier> {
  const loaded = await loadPolicy(policy)
  return async ({ store, descriptor }, options) =>
    (await verifyArtifact(store, descriptor, loaded, options)).signatures
}
