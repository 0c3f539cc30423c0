import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { createKeylessSigner, createWitness } from '../../../trust/keyless.ts'
import { publicGoodServices } from '../../../trust/signing-config.ts'
import { createKeySigner } from '../../../trust/signer.ts'
import type { Reference } from '../../../types.ts'
import { sign, type SignOptions } from '../../../verbs/sign.ts'
import { pairOption, referenceArgument } from '../arguments.ts'
import { type CliIo, UsageError } from '../io.ts'
import { readPrivateKey } from '../key-file.ts'
import { audienceOf, getIdentityToken, type TokenFlags } from '../login-for-token.ts'
import { createOutput, type Output } from '../output.ts'
import { isOn, switchOption } from '../switch-option.ts'
import { addInsecureOptions, type RemoteFlags, remoteOptions } from '../remote.ts'
import { signaturesOf } from '../signature-place.ts'
import {
  addServiceOptions,
  confirmPublic,
  readSigning,
  type ServiceFlags,
} from '../signing-services.ts'

interface SignFlags extends RemoteFlags, ServiceFlags, TokenFlags {
  readonly key?: string
  readonly attach?: 'referrer' | 'tag' | 'both'
  readonly newBundleFormat?: boolean | string
  readonly annotations?: ReadonlyMap<string, string>
  readonly signContainerIdentity?: string
  readonly bundle?: string
}

const EXAMPLE = `
With --key a cosign.key, its password from COSIGN_PASSWORD, the terminal or stdin, or a PEM file;
env://NAME is read from the environment. Without one, whoever the identity token names signs: the token
that is given, that of the CI job, or of who logs in on any device. What sigstore's public instance is
told stays public for ever. Services that are named replace all of it: nobody else is asked.

Signatures go beside the artifact, or into the repository that COSIGN_REPOSITORY names.

Examples:
  $ spindle sign --key cosign.key --tlog-upload=false ghcr.io/ann/hello:1.0.0
  $ spindle sign --yes ghcr.io/ann/hello@sha256:…`

export function addSignCommand(program: Command, io: CliIo): void {
  const command = program
    .command('sign')
    .description('sign an artifact in a registry, as cosign does')
    .argument('<reference>', 'what, as in ghcr.io/ann/hello:1.0.0 or …@sha256:…', referenceArgument)
    .option('--key <file>', 'sign with this private key')
    .option('--identity-token <token>', 'sign as who this token, or file with one, names')
    .option('--oidc-issuer <url>', "where to log in (default: sigstore's)")
    .option('--oidc-client-id <id>', 'as whom, and the audience of tokens (default: sigstore)')
    .addOption(
      switchOption('--oidc-disable-ambient-providers', 'do not look for a token of a CI job'),
    )
    .option(
      '-a, --annotations <key=value>',
      'signed along; can be given more than once',
      pairOption,
    )
    .addOption(
      new Option(
        '--attach <form>',
        'a bundle as referrer, for cosign 3; the tag sha256-….sig, for cosign 1 and 2; or both (default: referrer)',
      ).choices(['referrer', 'tag', 'both']),
    )
    .addOption(switchOption('--new-bundle-format', "cosign's name for --attach: false is tag"))
    .option('--sign-container-identity <name>', 'the name signed in the older form')
    .option('--bundle <file>', 'write the bundle to a file too')
  addServiceOptions(command)
  addInsecureOptions(command)
    .option('--json', 'answer with JSON on stdout')
    .addHelpText('after', EXAMPLE)
    .action((reference: Reference, flags: SignFlags) => runSign(reference, flags, io))
}

async function runSign(reference: Reference, flags: SignFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const attach = formOf(flags)
  const { signer, witness } = await readSigner(flags, io, output)
  if (flags.key === undefined) {
    // In cosign's words, which Spin's documents quote.
    output.note('Generating ephemeral keys...')
    output.note('Retrieving signed certificate...')
  }
  const signatures = signaturesOf(io)
  const { descriptor, written, logEntries, bundle } = await sign(reference, signer, {
    ...remoteOptions(io, output, flags, [reference, ...(signatures ? [signatures] : [])]),
    attach,
    ...(witness === undefined ? {} : { witness }),
    ...(flags.annotations && { annotations: Object.fromEntries(flags.annotations) }),
    ...(flags.signContainerIdentity && { reference: flags.signContainerIdentity }),
    ...(signatures && { signatures }),
  })
  for (const { index } of logEntries) output.note(`tlog entry created with index: ${index}`)
  const { registry, repository } = signatures ?? reference
  output.note(`Pushing signature to: ${registry}/${repository}`)
  if (flags.bundle !== undefined && bundle !== undefined)
    await writeFile(resolve(io.cwd, flags.bundle), bundle)
  const name = `${reference.registry}/${reference.repository}@${descriptor.digest}`
  output.line(`Signed ${name}`)
  output.json({ reference: name, descriptor, written, logEntries })
}

function formOf({ attach, newBundleFormat, bundle }: SignFlags): 'referrer' | 'tag' | 'both' {
  if (attach !== undefined && newBundleFormat !== undefined)
    throw new UsageError('--attach and --new-bundle-format say the same; give one of them')
  const form =
    attach ?? (newBundleFormat === undefined || isOn(newBundleFormat) ? 'referrer' : 'tag')
  if (form === 'tag' && bundle !== undefined)
    throw new UsageError('the older form makes no bundle that --bundle could write')
  return form
}

async function readSigner(
  flags: SignFlags,
  io: CliIo,
  output: Output,
): Promise<{ signer: Parameters<typeof sign>[1]; witness?: SignOptions['witness'] }> {
  const { key } = flags
  if (key !== undefined && flags.identityToken !== undefined)
    throw new UsageError('give a key or an identity token, not both')
  const signing = await readSigning(flags, io)
  const { services, trustedRoot } = signing
  const call = { services, trustedRoot, ...(io.fetch === undefined ? {} : { fetch: io.fetch }) }
  if (key !== undefined) {
    await confirmPublic(signing, false, flags, io)
    const signer = await createKeySigner(await readPrivateKey(io, key))
    // Without a log nobody is told by default: a time alone proves nothing of a key.
    const isAsked =
      services.rekor !== false ||
      (services.timestamp !== false && services.timestamp !== publicGoodServices.timestamp)
    return { signer, ...(isAsked && { witness: createWitness(call) }) }
  }
  if (services.fulcio === false)
    throw new UsageError('without --key, --fulcio-url says who certifies your identity')
  if (services.rekor === false && services.timestamp === false)
    throw new UsageError(
      'without --key, a log or --timestamp-server-url has to confirm when it was signed',
    )
  if (services.rekor !== false && services.rekor.version === 2 && services.timestamp === false)
    throw new UsageError('a log of version 2 confirms no time: a timestamp server is needed too')
  await confirmPublic(signing, true, flags, io)
  return {
    signer: createKeylessSigner({
      ...call,
      audience: audienceOf(flags),
      identityToken: () => getIdentityToken(flags, io, output),
    }),
  }
}
