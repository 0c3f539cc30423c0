import type { Verifier } from '../types.ts'
import type { createPolicyVerifier } from './policy-verifier.ts'
import type { Policy } from './policy/policy.ts'

/** Imports the code that verifies: `() => import('…/policy-verifier.ts')`. */
type LoadVerification = () => Promise<{ createPolicyVerifier: typeof createPolicyVerifier }>

/**
 * Makes a verifier of the option `verify`.
 *
 * @param load Called for a policy only. Each function with this option has an `import()` of its own: in
 * a shared module, functions without the option would bring it along.
 * @throws `TypeError` for an invalid policy, before anything is asked for.
 */
export async function openVerifier(
  verify: Verifier | Policy,
  load: LoadVerification,
): Promise<Verifier> {
  if (typeof verify !== 'function') return (await load()).createPolicyVerifier(verify)
  return async (subject, options) => {
    const signatures = await verify(subject, options)
    // `createVerifier` itself would return a function, and nothing would have been verified.
    if (!Array.isArray(signatures))
      throw new TypeError(
        '`verify` returned no list of signatures: pass a policy, or the result of `createVerifier(policy)`',
      )
    return signatures
  }
}
