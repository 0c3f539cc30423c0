import type { Command } from 'commander'
import type { Reference } from '../../../types.ts'
import { copy } from '../../../verbs/copy.ts'
import { countOption, referenceArgument } from '../../terminal/arguments.ts'
import { type CliIo, UsageError } from '../../terminal/io.ts'
import { createOutput } from '../../terminal/output.ts'
import { addPolicyOptions, type PolicyFlags } from '../../sign/policy-flags.ts'
import { describeTransfer, withProgress } from '../../terminal/progress.ts'
import {
  minRateOption,
  type RemoteFlags,
  remoteOptions,
  responseTimeoutOption,
} from '../../registry/remote.ts'
import { readVerifier } from '../../sign/verifier.ts'

interface CopyFlags extends RemoteFlags, PolicyFlags {
  readonly referrers?: boolean
  readonly maxManifests?: number
  readonly maxReferrers?: number
}

const EXAMPLE = `
Copies any OCI artifact unchanged: the digest stays the same. With a policy, nothing is copied before the
signatures are verified; --referrers copies the signatures too.

Example:
  $ spindle registry copy --referrers ghcr.io/ann/hello:1.0.0 registry.example/mirror/hello:1.0.0`

export function addCopyCommand(registry: Command, io: CliIo): void {
  const command = registry
    .command('copy')
    .description('copy an artifact to another repository or registry')
    .argument('<from>', 'source reference', referenceArgument)
    .argument('<to>', 'destination reference', referenceArgument)
    .option('--referrers', 'also copy signatures and other referrers')
    .option('-k, --insecure', 'connect to both registries over plain HTTP')
    .addOption(responseTimeoutOption())
    .addOption(minRateOption())
    .option('--concurrency <count>', 'maximum concurrent blob transfers (default: 8)', countOption)
    .option(
      '--max-manifests <count>',
      'maximum manifests in an artifact (default: 1000)',
      countOption,
    )
    .option('--max-referrers <count>', 'maximum referrers (default: 10000)', countOption)
    .option('--json', 'print the result as JSON')
  addPolicyOptions(command, '--verify-key')
    .addHelpText('after', EXAMPLE)
    .action((from: Reference, to: Reference, flags: CopyFlags) => runCopy(from, to, flags, io))
}

async function runCopy(from: Reference, to: Reference, flags: CopyFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  if (flags.maxReferrers !== undefined && flags.referrers !== true)
    throw new UsageError('--max-referrers needs --referrers')
  const verify = await readVerifier(flags, io, output)
  output.line(`Copying ${from} to ${to}.`)
  const { result: descriptor, summary } = await withProgress(io, 'Copying', (onProgress) =>
    copy(from, to, {
      ...remoteOptions(io, output, flags, [from, to]),
      onProgress,
      referrers: flags.referrers ?? false,
      ...(flags.maxManifests === undefined ? {} : { maxManifests: flags.maxManifests }),
      ...(flags.maxReferrers === undefined ? {} : { maxReferrers: flags.maxReferrers }),
      ...(verify === undefined ? {} : { verify }),
    }),
  )
  if (verify !== undefined) output.note(`Verified ${descriptor.digest}`)
  output.note(describeTransfer(summary))
  output.line(`Copied with digest ${descriptor.digest}`)
  output.json({
    reference: `${to.registry}/${to.repository}@${descriptor.digest}`,
    descriptor,
    ...summary,
  })
}
