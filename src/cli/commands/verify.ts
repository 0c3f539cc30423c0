import { type Command, Option } from 'commander'
import type { StoredSignature } from '../../trust/cosign/stored-signatures.ts'
import type { Reference } from '../../types.ts'
import { verify, type VerifyResult } from '../../verbs/verify.ts'
import { referenceArguments } from '../terminal/arguments.ts'
import { addCosignFlags } from '../sign/cosign-flags.ts'
import { toCosignJson } from '../sign/cosign-json.ts'
import { type CliIo, UsageError } from '../terminal/io.ts'
import { createOutput, type Output } from '../terminal/output.ts'
import { addPolicyOptions, type PolicyFlags, policyOf } from '../sign/policy-flags.ts'
import { addInsecureOptions, type RemoteFlags, remoteOptions } from '../registry/remote.ts'
import { signaturesOf } from '../sign/verifier.ts'
import { isOn } from '../terminal/switch-option.ts'
import { printable } from '../terminal/text.ts'

interface VerifyFlags extends RemoteFlags, PolicyFlags {
  readonly output?: 'text' | 'json'
}

const EXAMPLE = `
Nobody but the registry is asked: logs, certificates and times are checked against the trusted root. Both
of cosign's storage forms are read, beside the artifact or where COSIGN_REPOSITORY says. Patterns have
to match the whole. The digest on stdout is what was verified: use it from there on, a tag may move.

A policy file says the same as flags do, and more; names of files are from its folder:

  { "key": "cosign.pub", "requireTransparencyLog": false }
  { "identity": "ann@example.org", "issuer": "https://accounts.google.com" }
  { "anyOf": [ { "key": "ann.pub" }, { "key": "bob.pub" }, { "key": "eve.pub" } ], "threshold": 2 }
  { "allOf": [ { "key": "ci.pub" }, { "identityRegexp": "…", "issuer": "…",
      "extensions": { "githubWorkflowRef": "refs/heads/main" } } ] }

Each rule may also have trustedRoot, requireTransparencyLog, annotations, predicateTypes, formats, reference
and threshold; a rule with an identity also extensions, requireSct and time. A threshold beside anyOf is the
number of its rules that have to be satisfied, each by another signer. What is not enforced is refused.

Examples:
  $ spindle verify --key cosign.pub --insecure-ignore-tlog ghcr.io/ann/hello:1.0.0
  $ spindle verify --certificate-identity ann@example.org \\
      --certificate-oidc-issuer https://accounts.google.com ghcr.io/ann/hello:1.0.0
  $ spindle verify --policy policy.json --output json ghcr.io/ann/hello:1.0.0`

export function addVerifyCommand(program: Command, io: CliIo): void {
  const command = program
    .command('verify')
    .description('verify who signed an artifact in a registry, as cosign does')
    .argument(
      '<reference...>',
      'what, as in ghcr.io/ann/hello:1.0.0 or …@sha256:…',
      referenceArguments,
    )
  addPolicyOptions(command, '--key').addOption(
    new Option('-o, --output <form>', "json: cosign's answer on stdout (default: text)").choices([
      'text',
      'json',
    ]),
  )
  addInsecureOptions(addCosignFlags(command, 'verify'))
    .option('--json', 'answer with JSON on stdout, once for each artifact: all that was proven')
    .addHelpText('after', EXAMPLE)
    .action((references: readonly Reference[], flags: VerifyFlags) =>
      runVerify(references, flags, io),
    )
}

async function runVerify(
  references: readonly Reference[],
  flags: VerifyFlags,
  io: CliIo,
): Promise<void> {
  const output = createOutput(io, flags)
  if (flags.json === true && flags.output !== undefined)
    throw new UsageError('--json and --output are two answers; ask for one of them')
  const policy = await policyOf(flags, io)
  if (policy === undefined)
    throw new UsageError(
      'say who has to have signed: --key, --certificate-identity and --certificate-oidc-issuer, or --policy',
    )
  if (isOn(flags.insecureIgnoreTlog))
    output.warn('without a transparency log nobody can notice signatures with a stolen key')
  const place = signaturesOf(io)
  const remote = remoteOptions(io, output, flags, [...references, ...(place ? [place] : [])])
  for (const reference of references) {
    const options = { ...remote, ...(place && { signatures: place }) }
    report(await verify(reference, policy, options), reference, flags, io, output)
  }
}

function report(
  { descriptor, signatures, rejected }: VerifyResult,
  reference: Reference,
  flags: VerifyFlags,
  io: CliIo,
  output: Output,
): void {
  const name = `${reference.registry}/${reference.repository}@${descriptor.digest}`
  if (flags.json === true) {
    output.json({
      reference: name,
      descriptor,
      signatures,
      rejected: rejected.map(({ source, error }) => ({
        ...(source && { source }),
        code: error.code,
        ...('reason' in error && { reason: error.reason }),
        message: error.message,
      })),
    })
    return
  }
  output.note('')
  output.note(`Verification for ${reference} --`)
  for (const line of describeChecks(signatures)) output.note(line)
  if (flags.output === 'json') {
    io.stdout.write(`${printable(toCosignJson(signatures, descriptor, reference))}\n`)
    return
  }
  output.line(`Verified ${name}`)
  for (const signature of signatures) output.line(describeSignature(signature))
}

/** One signature in words. */
function describeSignature({ signer, times, logEntries }: StoredSignature): string {
  const who =
    signer.kind === 'key'
      ? `the key ${signer.keyId}`
      : `${signer.identity}, vouched for by ${signer.issuer ?? 'nobody'}`
  const when = times.map(({ at, uri }) => `, at ${at.toISOString()} (${uri})`)
  const where = logEntries.map(({ log, index }) => `, entry ${index} of ${log}`)
  return `Signed by ${who}${when.join('')}${where.join('')}`
}

/** What was checked, in cosign's words. */
function describeChecks(signatures: readonly StoredSignature[]): string[] {
  const isLogged = signatures.every(({ logEntries }) => logEntries.length > 0)
  const isKey = signatures.every(({ signer }) => signer.kind === 'key')
  return [
    'The following checks were performed on each of these signatures:',
    '  - The cosign claims were validated',
    ...(isLogged
      ? ['  - Existence of the claims in the transparency log was verified offline']
      : []),
    isKey
      ? '  - The signatures were verified against the specified public key'
      : '  - The code-signing certificate was verified using trusted certificate authority certificates',
  ]
}
