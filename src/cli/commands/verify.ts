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
Only the registry is contacted: log entries, certificates and timestamps are checked against the trusted
root. Both of cosign's storage formats are read, next to the artifact or from COSIGN_REPOSITORY. Regular
expressions must match entirely. Use the digest on stdout from then on: a tag can move.

A policy file expresses the same as the flags, and more; paths in it are relative to its folder:

  { "key": "cosign.pub", "requireTransparencyLog": false }
  { "identity": "ann@example.org", "issuer": "https://accounts.google.com" }
  { "anyOf": [ { "key": "ann.pub" }, { "key": "bob.pub" }, { "key": "eve.pub" } ], "threshold": 2 }
  { "allOf": [ { "key": "ci.pub" }, { "identityRegexp": "…", "issuer": "…",
      "extensions": { "githubWorkflowRef": "refs/heads/main" } } ] }

Each rule can also have trustedRoot, requireTransparencyLog, annotations, predicateTypes, formats, reference
and threshold; a rule with an identity also extensions, requireSct and time. The threshold of anyOf is the
number of its rules that must be satisfied, each by a different signer. Keys that would have no effect are
refused.

Examples:
  $ spindle verify --key cosign.pub --insecure-ignore-tlog ghcr.io/ann/hello:1.0.0
  $ spindle verify --certificate-identity ann@example.org \\
      --certificate-oidc-issuer https://accounts.google.com ghcr.io/ann/hello:1.0.0
  $ spindle verify --policy policy.json --output json ghcr.io/ann/hello:1.0.0`

export function addVerifyCommand(program: Command, io: CliIo): void {
  const command = program
    .command('verify')
    .description('verify the signatures of an artifact in a registry, compatible with cosign')
    .argument(
      '<reference...>',
      'for example ghcr.io/ann/hello:1.0.0 or …@sha256:…',
      referenceArguments,
    )
  addPolicyOptions(command, '--key').addOption(
    new Option(
      '-o, --output <form>',
      'json: print the JSON format of cosign (default: text)',
    ).choices(['text', 'json']),
  )
  addInsecureOptions(addCosignFlags(command, 'verify'))
    .option('--json', 'print one JSON result per artifact, with all that was verified')
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
    throw new UsageError('--json and --output exclude each other; give one of them')
  const policy = await policyOf(flags, io)
  if (policy === undefined)
    throw new UsageError(
      'name the required signer: --key, --certificate-identity and --certificate-oidc-issuer, or --policy',
    )
  if (isOn(flags.insecureIgnoreTlog))
    output.warn('without a transparency log, the use of a stolen key cannot be noticed')
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

/** Describes a signature in one line. */
function describeSignature({ signer, times, logEntries }: StoredSignature): string {
  const who =
    signer.kind === 'key'
      ? `the key ${signer.keyId}`
      : `${signer.identity}, authenticated by ${signer.issuer ?? 'an unknown issuer'}`
  const when = times.map(({ at, uri }) => `, at ${at.toISOString()} (${uri})`)
  const where = logEntries.map(({ log, index }) => `, entry ${index} of ${log}`)
  return `Signed by ${who}${when.join('')}${where.join('')}`
}

/** The checks, in the wording of cosign. */
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
