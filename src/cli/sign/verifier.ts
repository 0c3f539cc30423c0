import { parseReference } from '../../oci/reference.ts'
import type { Reference, Verifier } from '../../types.ts'
import { createVerifier } from '../../verbs/verify.ts'
import { type CliIo, UsageError } from '../terminal/io.ts'
import type { Output } from '../terminal/output.ts'
import { type PolicyFlags, policyOf } from './policy-flags.ts'
import { type RemoteFlags, remoteOptions } from '../registry/remote.ts'

/** The verifier for the policy of the flags; `undefined` if there is none. */
export async function readVerifier(
  flags: PolicyFlags & RemoteFlags,
  io: CliIo,
  output: Output,
): Promise<Verifier | undefined> {
  const policy = await policyOf(flags, io)
  if (policy === undefined) return undefined
  const signatures = signaturesOf(io)
  return createVerifier(
    policy,
    signatures && { ...remoteOptions(io, output, flags, [signatures]), signatures },
  )
}

/** The repository of signatures in `COSIGN_REPOSITORY`; `undefined` if they are stored next to the artifact. */
export function signaturesOf({ env }: CliIo): Reference | undefined {
  const text = env['COSIGN_REPOSITORY']
  if (text === undefined || text === '') return undefined
  try {
    return parseReference(text, { defaultRegistry: 'docker.io', defaultTag: 'latest' })
  } catch (cause) {
    throw new UsageError(`COSIGN_REPOSITORY is not a repository: ${(cause as Error).message}`)
  }
}
