import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { SpindleError } from '../../errors.ts'
import { parseReference } from '../../oci/reference.ts'
import { createRepository } from '../../registry/repository.ts'
import { readManifest } from '../../trust/cosign/signature-manifest.ts'
import { createKeylessSigner, createCountersigner } from '../../trust/keyless/keyless.ts'
import { publicGoodServices } from '../../trust/keyless/signing-config.ts'
import { createKeySigner } from '../../trust/keys/signer.ts'
import { createMemoryStore } from '../../store/memory.ts'
import type { Descriptor, Reference, RemoteOptions } from '../../types.ts'
import { sign, type SignOptions } from '../../verbs/sign.ts'
import { distinctPairOption, referenceArguments } from '../terminal/arguments.ts'
import { addCosignFlags } from '../sign/cosign-flags.ts'
import { type CliIo, UsageError } from '../terminal/io.ts'
import { readPrivateKey } from '../sign/key-file.ts'
import { audienceOf, getIdentityToken, type TokenFlags } from '../sign/login-for-token.ts'
import { createOutput, type Output } from '../terminal/output.ts'
import { isOn, switchOption } from '../terminal/switch-option.ts'
import { addInsecureOptions, type RemoteFlags, remoteOptions } from '../registry/remote.ts'
import { signaturesOf } from '../sign/verifier.ts'
import {
  addServiceOptions,
  confirmPublic,
  readSigning,
  type ServiceFlags,
} from '../sign/signing-services.ts'

/** Maximum manifests to sign with `--recursive`. An index lists a few platforms. */
const MAX_MANIFESTS = 256

interface SignFlags extends RemoteFlags, ServiceFlags, TokenFlags {
  readonly key?: string
  readonly attach?: 'referrer' | 'tag' | 'both'
  readonly newBundleFormat?: boolean | string
  readonly annotations?: ReadonlyMap<string, string>
  readonly signContainerIdentity?: string
  readonly bundle?: string
  readonly upload?: boolean | string
  readonly recursive?: boolean
  readonly recordCreationTimestamp?: boolean | string
}

const EXAMPLE = `
--key takes a cosign.key file, whose password comes from COSIGN_PASSWORD, the terminal or stdin; a PEM
file; or env://NAME. Without --key, the signature is keyless: the identity token comes from
--identity-token, from the CI job, or from a login in a browser. Entries in the log of sigstore's public
instance are public and permanent. If a service is named, only the named services are used.

Signatures are stored next to the artifact, or in the repository named by COSIGN_REPOSITORY.

Examples:
  $ spindle sign --key cosign.key --tlog-upload=false ghcr.io/ann/hello:1.0.0
  $ spindle sign --yes ghcr.io/ann/hello@sha256:…`

export function addSignCommand(program: Command, io: CliIo): void {
  const command = program
    .command('sign')
    .description('sign an artifact in a registry, compatible with cosign')
    .argument(
      '<reference...>',
      'for example ghcr.io/ann/hello:1.0.0 or …@sha256:…',
      referenceArguments,
    )
    .option('--key <file>', 'private key to sign with')
    .option('--identity-token <token>', 'identity token, or a file that contains one')
    .option('--oidc-issuer <url>', "OIDC issuer to log in to (default: sigstore's)")
    .option(
      '--oidc-client-id <id>',
      'OIDC client ID, and audience of identity tokens (default: sigstore)',
    )
    .addOption(
      switchOption('--oidc-disable-ambient-providers', 'do not use the identity token of a CI job'),
    )
    .option('-a, --annotations <key=value>', 'annotation to sign; repeatable', distinctPairOption)
    .addOption(
      new Option(
        '--attach <form>',
        'store a bundle as referrer (for cosign 3), a legacy signature at the tag sha256-….sig (for cosign 1 and 2), or both (default: referrer)',
      ).choices(['referrer', 'tag', 'both']),
    )
    .addOption(switchOption('--new-bundle-format', "cosign's name for --attach: false means tag"))
    .option('--sign-container-identity <name>', 'name to sign in the legacy format')
    .option('--bundle <file>', 'also write the bundle to a file')
    .addOption(switchOption('--upload', 'false with --bundle: write only to the file'))
    .option('-r, --recursive', 'also sign the manifests that an index lists')
    .addOption(
      switchOption('--record-creation-timestamp', 'record the creation time in the referrer'),
    )
  addServiceOptions(command)
  addInsecureOptions(addCosignFlags(command, 'sign'))
    .option('--json', 'print one JSON result per artifact')
    .addHelpText('after', EXAMPLE)
    .action((references: readonly Reference[], flags: SignFlags) => runSign(references, flags, io))
}

async function runSign(given: readonly Reference[], flags: SignFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const attach = formOf(flags)
  const isUploaded = flags.upload === undefined || isOn(flags.upload)
  if (!isUploaded && flags.bundle === undefined)
    throw new UsageError('--upload=false needs --bundle FILE: the signature is stored nowhere else')
  const place = signaturesOf(io)
  const remote = remoteOptions(io, output, flags, [...given, ...(place ? [place] : [])])
  const { signer, countersigner } = await readSigner(flags, io, output)
  const references = flags.recursive === true ? await withListed(given, remote) : given
  if (flags.bundle !== undefined && references.length > 1)
    throw new UsageError(
      '--bundle writes one bundle, and there are several artifacts: sign them one by one',
    )
  if (flags.key === undefined) {
    // The messages of cosign, which Spin's documentation quotes.
    output.note('Generating ephemeral keys...')
    output.note('Retrieving signed certificate...')
  }
  for (const reference of references) {
    const { descriptor, written, logEntries, bundle } = await sign(reference, signer, {
      ...remote,
      attach,
      ...(countersigner === undefined ? {} : { countersigner }),
      ...(flags.annotations && { annotations: Object.fromEntries(flags.annotations) }),
      ...(flags.signContainerIdentity && { reference: flags.signContainerIdentity }),
      ...(isOn(flags.recordCreationTimestamp) && { created: new Date() }),
      ...(place && { signatures: place }),
      ...(!isUploaded && { signatures: { store: createMemoryStore(), ref: '' } }),
    })
    for (const { index } of logEntries) output.note(`tlog entry created with index: ${index}`)
    const { registry, repository } = place ?? reference
    if (isUploaded) output.note(`Pushing signature to: ${registry}/${repository}`)
    if (flags.bundle !== undefined && bundle !== undefined)
      await writeFile(resolve(io.cwd, flags.bundle), bundle)
    const name = `${reference.registry}/${reference.repository}@${descriptor.digest}`
    output.line(`Signed ${name}`)
    output.json({
      reference: name,
      descriptor,
      written: isUploaded ? written : [],
      logEntries,
    })
  }
}

function formOf({
  attach,
  newBundleFormat,
  bundle,
  upload,
  recordCreationTimestamp,
}: SignFlags): 'referrer' | 'tag' | 'both' {
  if (attach !== undefined && newBundleFormat !== undefined)
    throw new UsageError('--attach and --new-bundle-format exclude each other; give one of them')
  const form =
    attach ?? (newBundleFormat === undefined || isOn(newBundleFormat) ? 'referrer' : 'tag')
  if (form === 'tag' && bundle !== undefined)
    throw new UsageError(
      'the legacy format has no bundle: leave out --bundle, or use --attach referrer',
    )
  if (form !== 'referrer' && upload !== undefined && !isOn(upload))
    throw new UsageError(
      'legacy signatures are stored only in a registry: use --upload=false with --attach referrer',
    )
  if (form === 'tag' && isOn(recordCreationTimestamp))
    throw new UsageError(
      'the legacy format cannot record the creation time: leave out --record-creation-timestamp',
    )
  return form
}

async function readSigner(
  flags: SignFlags,
  io: CliIo,
  output: Output,
): Promise<{ signer: Parameters<typeof sign>[1]; countersigner?: SignOptions['countersigner'] }> {
  const { key } = flags
  if (key !== undefined && flags.identityToken !== undefined)
    throw new UsageError('give --key or --identity-token, not both')
  const signing = await readSigning(flags, io)
  const { services, trustedRoot } = signing
  const call = { services, trustedRoot, ...(io.fetch === undefined ? {} : { fetch: io.fetch }) }
  if (key !== undefined) {
    await confirmPublic(signing, false, flags, io)
    const signer = await createKeySigner(await readPrivateKey(io, key))
    // Without a log, no timestamp is requested by default: a timestamp alone proves nothing about a key.
    const isCountersigned =
      services.rekor !== false ||
      (services.timestamp !== false && services.timestamp !== publicGoodServices.timestamp)
    return { signer, ...(isCountersigned && { countersigner: createCountersigner(call) }) }
  }
  if (services.fulcio === false)
    throw new UsageError('signing without --key needs a certificate authority: give --fulcio-url')
  if (services.rekor === false && services.timestamp === false)
    throw new UsageError(
      'signing without --key needs a transparency log or a timestamp authority: give --rekor-url or --timestamp-server-url',
    )
  if (services.rekor !== false && services.rekor.version === 2 && services.timestamp === false)
    throw new UsageError('a log of version 2 records no time: name a timestamp authority too')
  await confirmPublic(signing, true, flags, io)
  let token: Promise<string> | undefined
  return {
    signer: createKeylessSigner({
      ...call,
      audience: audienceOf(flags),
      // One token for all artifacts, so that the user logs in once.
      identityToken: () => (token ??= getIdentityToken(flags, io, output)),
    }),
  }
}

/** The artifacts of references and the manifests that their indexes list, each once, by digest. */
async function withListed(
  references: readonly Reference[],
  remote: RemoteOptions,
): Promise<Reference[]> {
  const all = new Map<string, Reference>()
  for (const reference of references) {
    const { registry, repository, digest, tag = 'latest', scheme } = reference
    const store = createRepository(reference, remote)
    const add = async (descriptor: Descriptor): Promise<void> => {
      const name = `${registry}/${repository}@${descriptor.digest}`
      if (all.has(name)) return
      if (all.size === MAX_MANIFESTS)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `${reference} lists more than ${MAX_MANIFESTS} manifests; sign them by their digests`,
        )
      all.set(name, parseReference(scheme === undefined ? name : `${scheme}://${name}`))
      const manifest = await readManifest(store, descriptor, remote)
      if (manifest.kind === 'index') for (const listed of manifest.manifests) await add(listed)
    }
    await add(await store.resolve(digest ?? tag, { ...remote, withBytes: true }))
  }
  return [...all.values()]
}
