import { type Command, Option } from 'commander'
import { resolve } from 'node:path'
import {
  parseSigningConfig,
  publicGoodServices,
  type SigningServices,
} from '../../trust/keyless/signing-config.ts'
import { publicGoodRoot } from '../../trust/root/trust-root.ts'
import { type CliIo, CommandError, UsageError } from '../terminal/io.ts'
import { ask } from '../terminal/prompt.ts'
import { isOn, switchOption } from '../terminal/switch-option.ts'
import { readTextFile } from '../terminal/text-file.ts'

/** Flags that name the services used for signing, with cosign's names. */
export interface ServiceFlags {
  readonly fulcioUrl?: string
  readonly rekorUrl?: string
  readonly timestampServerUrl?: string
  readonly signingConfig?: string
  readonly useSigningConfig?: boolean | string
  readonly tlogUpload?: boolean | string
  readonly trustedRoot?: string
  readonly yes?: boolean
}

export function addServiceOptions(command: Command): Command {
  return command
    .option('--fulcio-url <url>', 'certificate authority (Fulcio)')
    .option(
      '--rekor-url <url>',
      'transparency log (Rekor), version 1; a log of version 2 needs --signing-config',
    )
    .option('--timestamp-server-url <url>', 'timestamp authority (RFC 3161); the full URL')
    .option('--signing-config <file>', 'signing_config.v0.2.json file that names all services')
    .addOption(switchOption('--use-signing-config', "true: sigstore's public instance").hideHelp())
    .addOption(
      switchOption('--tlog-upload', 'upload an entry to the transparency log (default: true)'),
    )
    .option('--trusted-root <file>', "trusted_root.json file (default: sigstore's public instance)")
    .addOption(new Option('-y, --yes', 'skip the confirmation prompt'))
}

/** The services used for signing, and the trusted root for their responses. */
export interface Signing {
  readonly services: SigningServices
  readonly trustedRoot: unknown
}

/**
 * The public instance, unless other services are named: then only those are used.
 */
export async function readSigning(flags: ServiceFlags, io: CliIo): Promise<Signing> {
  const services = await readServices(flags, io)
  if (flags.trustedRoot !== undefined) {
    const path = resolve(io.cwd, flags.trustedRoot)
    return { services, trustedRoot: await readTextFile(path, 'the trusted root') }
  }
  if (addressesOf(services).some((url) => !isPublicGood(url)))
    throw new UsageError(
      'a private instance needs its own trusted root: give it with --trusted-root',
    )
  return { services, trustedRoot: publicGoodRoot }
}

async function readServices(flags: ServiceFlags, io: CliIo): Promise<SigningServices> {
  const { fulcioUrl, rekorUrl, timestampServerUrl, signingConfig, tlogUpload } = flags
  const isNamed = [fulcioUrl, rekorUrl, timestampServerUrl].some((url) => url !== undefined)
  if (signingConfig !== undefined && isNamed)
    throw new UsageError(
      '--signing-config names all services; give it alone, or --fulcio-url, --rekor-url and --timestamp-server-url',
    )
  if (isOn(flags.useSigningConfig) && isNamed)
    throw new UsageError('--use-signing-config names all services; leave it out to name your own')
  const upload = tlogUpload === undefined || isOn(tlogUpload)
  if (rekorUrl !== undefined && !upload)
    throw new UsageError('--rekor-url and --tlog-upload=false contradict each other')
  const services: SigningServices =
    signingConfig !== undefined
      ? parseSigningConfig(await readTextFile(resolve(io.cwd, signingConfig), 'the signing config'))
      : isNamed
        ? {
            fulcio: fulcioUrl ?? false,
            rekor: rekorUrl === undefined ? false : ({ url: rekorUrl, version: 1 } as const),
            timestamp: timestampServerUrl ?? false,
          }
        : publicGoodServices
  for (const url of addressesOf(services))
    if (!URL.canParse(url) || !/^https?:/.test(url))
      throw new UsageError(`${JSON.stringify(url)} is not a URL, for example https://rekor.example`)
  return upload ? services : { ...services, rekor: false }
}

function addressesOf({ fulcio, rekor, timestamp }: SigningServices): string[] {
  return [fulcio, rekor && rekor.url, timestamp].filter((url) => url !== false)
}

function isPublicGood(url: string): boolean {
  return /(?:^|\.)sigstore\.dev$/.test(new URL(url).hostname)
}

/** Asks for confirmation before anything is published permanently. */
export async function confirmPublic(
  { services: { fulcio, rekor } }: Signing,
  isKeyless: boolean,
  flags: ServiceFlags,
  io: CliIo,
): Promise<void> {
  const published = [
    ...(rekor === false ? [] : [rekor.url]),
    ...(isKeyless && fulcio !== false ? [fulcio] : []),
  ]
  if (flags.yes === true || !published.some(isPublicGood)) return
  const what = isKeyless
    ? 'your identity, such as an e-mail address, and the digest'
    : 'your public key and the digest'
  const warning = `${what} will be published in sigstore's public log, and can never be removed`
  if (io.stdin.isTTY !== true)
    throw new UsageError(`${warning}: confirm with --yes, or use --tlog-upload=false with a key`)
  const answer = await ask(io, `${warning}. Continue? [y/N] `, { hidden: false })
  if (!/^y(?:es)?$/i.test(answer.trim()))
    throw new CommandError('not confirmed: nothing was signed')
}
