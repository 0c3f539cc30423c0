import type { Verifier } from '../../types.ts'
import { createVerifier } from '../../verbs/verify.ts'
import type { CliIo } from '../terminal/io.ts'
import type { Output } from '../terminal/output.ts'
import { type PolicyFlags, policyOf } from './policy-flags.ts'
import { type RemoteFlags, remoteOptions } from '../registry/remote.ts'
import { signaturesOf } from './signature-place.ts'

/** What the flags ask for, as the library's verbs take it; `undefined` when they ask for nothing. */
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
