import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { CertificateExtensions } from '../../trust/identity.ts'
import type { Policy } from '../../trust/policy.ts'
import { publicGoodRoot } from '../../trust/trust-root.ts'
import { pairOption } from './arguments.ts'
import { type CliIo, UsageError } from './io.ts'
import { readKeyText } from './key-file.ts'
import { loadPolicyFile, patternOf } from './policy-file.ts'
import { isOn, switchOption } from './switch-option.ts'
import { readTextFile } from './text-file.ts'

/** Flags of every command that verifies; their names are cosign's where it has them. */
export interface PolicyFlags {
  /** `--key` of `verify`, `--verify-key` elsewhere. */
  readonly key?: string
  readonly verifyKey?: string
  readonly policy?: string
  readonly certificateIdentity?: string
  readonly certificateIdentityRegexp?: string
  readonly certificateOidcIssuer?: string
  readonly certificateOidcIssuerRegexp?: string
  readonly certificateGithubWorkflowTrigger?: string
  readonly certificateGithubWorkflowSha?: string
  readonly certificateGithubWorkflowName?: string
  readonly certificateGithubWorkflowRepository?: string
  readonly certificateGithubWorkflowRef?: string
  readonly annotations?: ReadonlyMap<string, string>
  readonly trustedRoot?: string
  readonly insecureIgnoreTlog?: boolean | string
  readonly insecureIgnoreSct?: boolean | string
  readonly useSignedTimestamps?: boolean | string
  readonly newBundleFormat?: boolean | string
}

const WORKFLOW = {
  githubWorkflowTrigger: 'certificateGithubWorkflowTrigger',
  githubWorkflowSha: 'certificateGithubWorkflowSha',
  githubWorkflowName: 'certificateGithubWorkflowName',
  githubWorkflowRepository: 'certificateGithubWorkflowRepository',
  githubWorkflowRef: 'certificateGithubWorkflowRef',
} as const satisfies Partial<Record<keyof CertificateExtensions, keyof PolicyFlags>>

export function addPolicyOptions(command: Command, keyFlag: '--key' | '--verify-key'): Command {
  command
    .option(`${keyFlag} <file>`, 'accept what is signed with this public key')
    .option('--certificate-identity <who>', 'accept what this e-mail address or URI signed')
    .option('--certificate-identity-regexp <pattern>', 'the same by a pattern for the whole of it')
    .option('--certificate-oidc-issuer <url>', 'who vouched for the identity')
    .option(
      '--certificate-oidc-issuer-regexp <pattern>',
      'the same by a pattern for the whole of it',
    )
  for (const part of ['trigger', 'sha', 'name', 'repository', 'ref'])
    command.addOption(
      new Option(`--certificate-github-workflow-${part} <value>`, `${part} of the GitHub workflow`),
    )
  return command
    .option(
      '--policy <file>',
      'a JSON file that says what has to hold, see "spindle verify --help"',
    )
    .option(
      '-a, --annotations <key=value>',
      'has to be signed along; can be given more than once',
      pairOption,
    )
    .option('--trusted-root <file>', "a trusted_root.json (default: sigstore's public instance)")
    .addOption(switchOption('--insecure-ignore-tlog', 'do without a transparency log'))
    .addOption(switchOption('--insecure-ignore-sct', 'do without a certificate transparency log'))
    .addOption(
      switchOption('--use-signed-timestamps', 'a timestamp authority has to confirm the time'),
    )
    .addOption(switchOption('--new-bundle-format', 'false: only the older form counts'))
}

/** What the flags ask for, or `undefined` when they ask for nothing. */
export async function policyOf(flags: PolicyFlags, io: CliIo): Promise<Policy | undefined> {
  const key = flags.key ?? flags.verifyKey
  const identity = oneOf(
    '--certificate-identity',
    flags.certificateIdentity,
    flags.certificateIdentityRegexp,
  )
  const issuer = oneOf(
    '--certificate-oidc-issuer',
    flags.certificateOidcIssuer,
    flags.certificateOidcIssuerRegexp,
  )
  const extensions = Object.fromEntries(
    Object.entries(WORKFLOW).flatMap(([name, flag]) =>
      flags[flag] === undefined ? [] : [[name, flags[flag]]],
    ),
  ) as CertificateExtensions
  const hasDetail =
    Object.keys(extensions).length > 0 ||
    flags.annotations !== undefined ||
    flags.trustedRoot !== undefined ||
    flags.insecureIgnoreTlog !== undefined ||
    flags.insecureIgnoreSct !== undefined ||
    flags.useSignedTimestamps !== undefined ||
    flags.newBundleFormat !== undefined
  const isCertificate = identity !== undefined || issuer !== undefined

  if (flags.policy !== undefined) {
    if (key !== undefined || isCertificate || hasDetail)
      throw new UsageError(
        '--policy says all that has to hold; give it alone, and the rest in the file',
      )
    return loadPolicyFile(resolve(io.cwd, flags.policy))
  }
  if (key !== undefined && (isCertificate || Object.keys(extensions).length > 0))
    throw new UsageError(
      'give a key, or --certificate-identity and --certificate-oidc-issuer, not both',
    )
  if (key !== undefined && isOn(flags.useSignedTimestamps))
    throw new UsageError('--use-signed-timestamps is about certificates: a key has no time to fit')
  if (key === undefined && !isCertificate) {
    // A flag that makes something stricter must not be passed over.
    if (hasDetail)
      throw new UsageError(
        'say who has to have signed: a key, --certificate-identity and --certificate-oidc-issuer, or --policy',
      )
    return undefined
  }
  const requireTransparencyLog = !isOn(flags.insecureIgnoreTlog)
  const isOlder = flags.newBundleFormat !== undefined && !isOn(flags.newBundleFormat)
  const evidence = {
    requireTransparencyLog,
    ...(isOlder ? { formats: ['legacy'] as const } : {}),
    ...(flags.annotations === undefined
      ? {}
      : { annotations: Object.fromEntries(flags.annotations) }),
  }
  const trustedRoot = async (): Promise<unknown> =>
    flags.trustedRoot === undefined
      ? publicGoodRoot
      : readTextFile(resolve(io.cwd, flags.trustedRoot), 'the trusted root')
  if (key !== undefined) {
    const pem = await readKeyText(io, key, 'the public key')
    // Without a log nothing but the key is needed, unless a root is named.
    const needsRoot = requireTransparencyLog || flags.trustedRoot !== undefined
    return { key: pem, ...evidence, ...(needsRoot ? { trustedRoot: await trustedRoot() } : {}) }
  }
  if (identity === undefined || issuer === undefined)
    throw new UsageError(
      '--certificate-identity and --certificate-oidc-issuer, or their -regexp forms, are needed both',
    )
  return {
    identity,
    issuer,
    ...evidence,
    trustedRoot: await trustedRoot(),
    requireSct: !isOn(flags.insecureIgnoreSct),
    ...(isOn(flags.useSignedTimestamps) ? { time: 'authority' } : {}),
    ...(Object.keys(extensions).length === 0 ? {} : { extensions }),
  }
}

function oneOf(
  flag: string,
  exact: string | undefined,
  pattern: string | undefined,
): string | RegExp | undefined {
  if (exact !== undefined && pattern !== undefined)
    throw new UsageError(`${flag} and ${flag}-regexp say the same; give one of them`)
  return pattern === undefined ? exact : patternOf(pattern, `${flag}-regexp`)
}
