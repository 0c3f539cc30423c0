import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CertificateExtensions } from '../../trust/x509/identity.ts'
import type { Policy } from '../../trust/policy/policy.ts'
import { checkPolicy, parsePattern, POLICY_SCHEMA } from '../../trust/policy/policy-schema.ts'
import type { PolicyKey, RuleKind } from '../../trust/policy/policy-schema.ts'
import { publicGoodRoot } from '../../trust/root/trust-root.ts'
import { distinctPairOption } from '../terminal/arguments.ts'
import { type CliIo, UsageError } from '../terminal/io.ts'
import { readKeyText } from './key-file.ts'
import { asUsage, loadPolicyFile } from './policy-file.ts'
import { isOn, switchOption } from '../terminal/switch-option.ts'
import { readTextFile } from '../terminal/text-file.ts'

/** Flags of commands that verify signatures, with cosign's names where it has them. */
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

/** Each flag, and the policy key that it sets: the flag is allowed where the key is. */
const FLAGS: Readonly<
  Record<keyof PolicyFlags, { readonly flag: string; readonly says?: PolicyKey }>
> = {
  key: { flag: '--key', says: 'key' },
  verifyKey: { flag: '--verify-key', says: 'key' },
  policy: { flag: '--policy' },
  certificateIdentity: { flag: '--certificate-identity', says: 'identity' },
  certificateIdentityRegexp: { flag: '--certificate-identity-regexp', says: 'identity' },
  certificateOidcIssuer: { flag: '--certificate-oidc-issuer', says: 'issuer' },
  certificateOidcIssuerRegexp: { flag: '--certificate-oidc-issuer-regexp', says: 'issuer' },
  certificateGithubWorkflowTrigger: workflowFlag('trigger'),
  certificateGithubWorkflowSha: workflowFlag('sha'),
  certificateGithubWorkflowName: workflowFlag('name'),
  certificateGithubWorkflowRepository: workflowFlag('repository'),
  certificateGithubWorkflowRef: workflowFlag('ref'),
  annotations: { flag: '--annotations', says: 'annotations' },
  trustedRoot: { flag: '--trusted-root', says: 'trustedRoot' },
  insecureIgnoreTlog: { flag: '--insecure-ignore-tlog', says: 'requireTransparencyLog' },
  insecureIgnoreSct: { flag: '--insecure-ignore-sct', says: 'requireSct' },
  useSignedTimestamps: { flag: '--use-signed-timestamps', says: 'time' },
  newBundleFormat: { flag: '--new-bundle-format', says: 'formats' },
}

function workflowFlag(part: string): { flag: string; says: 'extensions' } {
  return { flag: `--certificate-github-workflow-${part}`, says: 'extensions' }
}

const WHO = 'a key, --certificate-identity and --certificate-oidc-issuer, or --policy'

export function addPolicyOptions(command: Command, keyFlag: '--key' | '--verify-key'): Command {
  const options = [
    new Option(`${keyFlag} <file>`, 'require a signature by this public key'),
    new Option('--certificate-identity <who>', 'require a signature by this e-mail address or URI'),
    new Option(
      '--certificate-identity-regexp <pattern>',
      'like --certificate-identity, but a regular expression that must match entirely',
    ),
    new Option(
      '--certificate-oidc-issuer <url>',
      'OIDC issuer that must have authenticated the identity',
    ),
    new Option(
      '--certificate-oidc-issuer-regexp <pattern>',
      'like --certificate-oidc-issuer, but a regular expression that must match entirely',
    ),
    ...['trigger', 'sha', 'name', 'repository', 'ref'].map(
      (part) =>
        new Option(
          `--certificate-github-workflow-${part} <value>`,
          `required GitHub workflow ${part} in the certificate`,
        ),
    ),
    new Option('--policy <file>', 'verification policy, a JSON file (see "spindle verify --help")'),
    new Option(
      '--trusted-root <file>',
      "trusted_root.json file (default: sigstore's public instance)",
    ),
    switchOption('--insecure-ignore-tlog', 'do not require a transparency log entry'),
    switchOption('--insecure-ignore-sct', 'do not require a signed certificate timestamp (SCT)'),
    switchOption('--use-signed-timestamps', 'require a signed timestamp (RFC 3161)'),
    switchOption('--new-bundle-format', 'false: accept legacy signatures only'),
  ]
  for (const option of options) command.addOption(once(option))
  return command.option(
    '-a, --annotations <key=value>',
    'required signed annotation; repeatable',
    distinctPairOption,
  )
}

/** Refuses a second value: one of the two would be ignored, possibly the stricter one. */
function once(option: Option): Option {
  const parse = option.parseArg
  return option.argParser((value: string, before: unknown) => {
    if (before !== undefined)
      throw new InvalidArgumentError('Give it once; a --policy file can have several alternatives.')
    return parse === undefined ? value : parse(value, before as never)
  })
}

/** The policy of the flags; `undefined` if there are none. */
export async function policyOf(flags: PolicyFlags, io: CliIo): Promise<Policy | undefined> {
  const given = (Object.keys(FLAGS) as (keyof PolicyFlags)[]).filter(
    (name) => flags[name] !== undefined,
  )
  if (given.length === 0) return undefined
  // An empty value can come from an unset shell variable. Ignoring it would weaken the policy.
  for (const name of given)
    if (flags[name] === '') throw new UsageError(`${FLAGS[name].flag} is empty`)
  if (flags.policy !== undefined) {
    if (given.length > 1)
      throw new UsageError(
        '--policy excludes the other policy flags: put their requirements into the file',
      )
    return loadPolicyFile(resolve(io.cwd, flags.policy))
  }
  assertTogether(given)
  const policy = await (flags.key === undefined && flags.verifyKey === undefined
    ? identityPolicy(flags, io)
    : keyPolicy(flags, io))
  asUsage('these flags are not a valid policy', () => checkPolicy(policy, 'library'))
  return policy
}

/** Refuses flags that have no effect together with the flag that names the signer. */
function assertTogether(given: readonly (keyof PolicyFlags)[]): void {
  const first = given
    .map((name) => FLAGS[name])
    .find(({ says }) => KINDS.includes(says as RuleKind))
  if (first === undefined) throw new UsageError(`name the required signer: ${WHO}`)
  const kind = first.says === 'key' ? 'key' : 'identity'
  for (const { flag, says } of given.map((name) => FLAGS[name])) {
    if (says !== undefined && POLICY_SCHEMA[says].kinds.includes(kind)) continue
    throw new UsageError(
      says === 'identity' || says === 'issuer'
        ? 'give a key, or --certificate-identity and --certificate-oidc-issuer, not both'
        : `${flag} applies to certificates, and has no effect with ${first.flag}: use it with --certificate-identity`,
    )
  }
}

const KINDS: readonly (PolicyKey | undefined)[] = ['key', 'identity', 'issuer']

async function keyPolicy(flags: PolicyFlags, io: CliIo): Promise<Policy> {
  const key = await readKeyText(io, flags.key ?? flags.verifyKey ?? '', 'the public key')
  const evidence = evidenceOf(flags)
  // Without a log only the key is needed, unless a trusted root is named.
  const needsRoot = evidence.requireTransparencyLog || flags.trustedRoot !== undefined
  return { key, ...evidence, ...(needsRoot ? { trustedRoot: await trustedRootOf(flags, io) } : {}) }
}

async function identityPolicy(flags: PolicyFlags, io: CliIo): Promise<Policy> {
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
  if (identity === undefined || issuer === undefined)
    throw new UsageError(
      '--certificate-identity and --certificate-oidc-issuer, or their -regexp forms, are both required',
    )
  const extensions = Object.fromEntries(
    Object.entries(WORKFLOW).flatMap(([name, flag]) =>
      flags[flag] === undefined ? [] : [[name, flags[flag]]],
    ),
  ) as CertificateExtensions
  return {
    identity,
    issuer,
    ...evidenceOf(flags),
    trustedRoot: await trustedRootOf(flags, io),
    requireSct: !isOn(flags.insecureIgnoreSct),
    ...(isOn(flags.useSignedTimestamps) ? { time: 'authority' } : {}),
    ...(Object.keys(extensions).length === 0 ? {} : { extensions }),
  }
}

function evidenceOf(flags: PolicyFlags): Pick<Policy, 'annotations' | 'formats'> & {
  requireTransparencyLog: boolean
} {
  const isLegacy = flags.newBundleFormat !== undefined && !isOn(flags.newBundleFormat)
  return {
    requireTransparencyLog: !isOn(flags.insecureIgnoreTlog),
    ...(isLegacy ? { formats: ['legacy'] } : {}),
    ...(flags.annotations === undefined
      ? {}
      : { annotations: Object.fromEntries(flags.annotations) }),
  }
}

async function trustedRootOf(flags: PolicyFlags, io: CliIo): Promise<unknown> {
  return flags.trustedRoot === undefined
    ? publicGoodRoot
    : readTextFile(resolve(io.cwd, flags.trustedRoot), 'the trusted root')
}

function oneOf(
  flag: string,
  exact: string | undefined,
  pattern: string | undefined,
): string | RegExp | undefined {
  if (exact !== undefined && pattern !== undefined)
    throw new UsageError(`${flag} and ${flag}-regexp exclude each other; give one of them`)
  if (pattern === undefined) return exact
  return asUsage(`${flag}-regexp`, () => parsePattern(pattern, JSON.stringify(pattern)))
}
