/** What has to be proven about an artifact. Data, so that it can stand in a file. */
import { PolicyRejected, SignatureInvalid, type RejectedSignature } from '../errors.ts'
import type { CertificateExtensions } from './identity.ts'
import { loadPublicKey, type KeyInput, type PublicKey } from './public-key.ts'
import { parseTrustedRoot, type TrustedRoot } from './trusted-root.ts'

interface Evidence {
  /**
   * A `trusted_root.json`, parsed or as text: whose logs, certificates and timestamps count.
   * `spindle/trust-root` has the public-good one.
   */
  readonly trustedRoot?: unknown
  /** Whether a transparency log has to hold the signature. Default true. Entries that are there are verified anyway. */
  readonly requireTransparencyLog?: boolean
  /** Annotations that have to be signed along, by exact value; others may be there too. */
  readonly annotations?: Readonly<Record<string, string>>
  /** Types of statement that count. Default: `cosign sign`'s alone for an artifact's signatures, any for a bundle in hand. */
  readonly predicateTypes?: readonly string[]
  /** Storage forms that count. Default: both. */
  readonly formats?: readonly SignatureFormat[]
  /** The name that a signature of the older form has to carry, as `registry/repository`. Default: not looked at, as cosign. */
  readonly reference?: string
  /** How many different signers have to have signed. Default 1. */
  readonly threshold?: number
}

export type SignatureFormat = 'bundle' | 'legacy'

/** Signed with one of these keys. */
export interface KeyPolicy extends Evidence {
  readonly key: KeyInput | readonly KeyInput[]
}

/** Signed by somebody for whom Fulcio, or a private authority, issued a certificate. */
export interface IdentityPolicy extends Evidence {
  /** E-mail address, URI or user name; exact, or a pattern that has to match the whole. */
  readonly identity: string | RegExp
  /** Who vouched for the identity, such as `https://token.actions.githubusercontent.com`; exact, or a pattern that has to match the whole. */
  readonly issuer: string | RegExp
  readonly trustedRoot: unknown
  /** Exact values of what Fulcio copied from the identity token, such as the GitHub workflow. */
  readonly extensions?: CertificateExtensions
  /** Whether a certificate transparency log has to have seen the certificate. Default true. */
  readonly requireSct?: boolean
  /**
   * Who has to vouch for the time of signing: `log`, timestamp `authority`, or `any` of them. Default `any`.
   * `now` needs nobody, but the certificate has to be valid at this moment too: for private authorities only.
   */
  readonly time?: 'any' | 'log' | 'authority' | 'now'
}

/**
 * What has to hold. Exported from the main entry point and from `spindle/verify`.
 *
 * @example Releases of one workflow, or signed with our key
 * ```ts
 * const policy: Policy = {
 *   anyOf: [
 *     {
 *       identity: /https:\/\/github\.com\/team\/app\/\.github\/workflows\/release\.yml@refs\/tags\/.+/,
 *       issuer: 'https://token.actions.githubusercontent.com',
 *       trustedRoot,
 *     },
 *     { key: pem, requireTransparencyLog: false },
 *   ],
 * }
 * ```
 */
export type Policy =
  | KeyPolicy
  | IdentityPolicy
  | { readonly anyOf: readonly Policy[] }
  | { readonly allOf: readonly Policy[] }

/** What tells the kinds of policy apart. */
const KINDS = ['key', 'identity', 'anyOf', 'allOf'] as const

/** A policy that was checked and loaded: no key is parsed twice. */
export type LoadedPolicy =
  | LoadedRule
  | { readonly anyOf: readonly LoadedPolicy[] }
  | { readonly allOf: readonly LoadedPolicy[] }

export interface LoadedRule {
  readonly keys?: readonly PublicKey[]
  readonly certificate?: Required<
    Pick<IdentityPolicy, 'identity' | 'issuer' | 'extensions' | 'requireSct' | 'time'>
  >
  readonly root: TrustedRoot | undefined
  readonly requireTransparencyLog: boolean
  readonly annotations: ReadonlyArray<readonly [string, string]>
  readonly predicateTypes: readonly string[] | undefined
  readonly formats: readonly SignatureFormat[]
  readonly reference: string | undefined
  readonly threshold: number
}

/** Deepest nesting of `anyOf` and `allOf`, and most rules of one of them. */
const MAX_DEPTH = 8
const MAX_RULES = 64

/** @throws `TypeError` for a policy that is ambiguous, empty or would let anything through. */
export async function loadPolicy(policy: Policy, depth = 0): Promise<LoadedPolicy> {
  const one = policy as Partial<Record<(typeof KINDS)[number], unknown>> | null
  const kinds = KINDS.filter((name) => one?.[name] !== undefined)
  const [kind, surplus] = kinds
  if (kind === undefined || surplus !== undefined)
    throw new TypeError(
      `a policy has exactly one of \`key\`, \`identity\`, \`anyOf\` and \`allOf\`, not ${kinds.join(' and ') || 'none'}`,
    )
  if (kind === 'key' || kind === 'identity')
    return await loadRule(policy as Partial<KeyPolicy & IdentityPolicy>)
  const rules = one![kind]
  if (
    depth === MAX_DEPTH ||
    !Array.isArray(rules) ||
    rules.length === 0 ||
    rules.length > MAX_RULES
  )
    throw new TypeError(
      `\`${kind}\` has 1 to ${MAX_RULES} policies, nested at most ${MAX_DEPTH} deep`,
    )
  const loaded: LoadedPolicy[] = []
  for (const rule of rules as readonly Policy[]) loaded.push(await loadPolicy(rule, depth + 1))
  return kind === 'anyOf' ? { anyOf: loaded } : { allOf: loaded }
}

async function loadRule(policy: Partial<KeyPolicy & IdentityPolicy>): Promise<LoadedRule> {
  const {
    key,
    identity,
    issuer,
    threshold = 1,
    requireTransparencyLog = true,
    requireSct = true,
    annotations = {},
    predicateTypes,
    formats = ['bundle', 'legacy'],
    reference,
    trustedRoot,
  } = policy
  if (!Number.isSafeInteger(threshold) || threshold < 1)
    throw new TypeError('`threshold` is a whole number, 1 or more')
  if (![requireTransparencyLog, requireSct].every((value) => typeof value === 'boolean'))
    throw new TypeError('`requireTransparencyLog` and `requireSct` are true or false')
  if (![formats, predicateTypes ?? formats].every((list) => Array.isArray(list) && list.length > 0))
    throw new TypeError('`formats` and `predicateTypes` are lists that are not empty')
  const wanted = Object.entries(annotations)
  if (wanted.some(([, value]) => typeof value !== 'string'))
    throw new TypeError('`annotations` are strings')
  const root = trustedRoot === undefined ? undefined : parseTrustedRoot(trustedRoot)
  const evidence = {
    root,
    requireTransparencyLog,
    annotations: wanted,
    predicateTypes,
    formats,
    reference,
    threshold,
  }
  if (key !== undefined) {
    if (issuer !== undefined) throw new TypeError('a policy has `key`, or `identity` and `issuer`')
    if (root === undefined && requireTransparencyLog) {
      throw new TypeError('without a `trustedRoot`, say `requireTransparencyLog: false`')
    }
    const inputs = [key].flat() as readonly KeyInput[]
    if (inputs.length === 0 || inputs.length > MAX_RULES)
      throw new TypeError(`\`key\` has 1 to ${MAX_RULES} keys`)
    return { ...evidence, keys: await Promise.all(inputs.map(loadPublicKey)) }
  }
  const { extensions = {}, time = 'any' } = policy
  assertCriterion('identity', identity)
  assertCriterion('issuer', issuer)
  if (root === undefined)
    throw new TypeError('a `trustedRoot` is needed, as in `spindle/trust-root`')
  if (Object.values(extensions).some((value) => typeof value !== 'string' || value === ''))
    throw new TypeError('`extensions` are strings that are not empty')
  if (!['any', 'log', 'authority', 'now'].includes(time))
    throw new TypeError("`time` is 'any', 'log', 'authority' or 'now'")
  return { ...evidence, certificate: { identity, issuer, extensions, requireSct, time } }
}

function assertCriterion(name: string, value: unknown): asserts value is string | RegExp {
  const empty = value instanceof RegExp ? value.source === '(?:)' : value === ''
  if (empty || !(typeof value === 'string' || value instanceof RegExp))
    throw new TypeError(`\`${name}\` is a string or pattern, and not empty`)
  // `g` and `y` keep state between matches; `m` would let one line stand for the whole.
  if (value instanceof RegExp && /[gmy]/.test(value.flags))
    throw new TypeError(`\`${name}\` is a pattern without the flags g, m and y`)
}

/** Applies a policy: `examine` resolves with what proves one rule, or rejects with why nothing does. */
export async function decide<T>(
  policy: LoadedPolicy,
  examine: (rule: LoadedRule) => Promise<T>,
): Promise<T[]> {
  if ('allOf' in policy) {
    const proofs: T[] = []
    for (const rule of policy.allOf) proofs.push(...(await decide(rule, examine)))
    return proofs
  }
  if (!('anyOf' in policy)) return [await examine(policy)]
  const rejected: RejectedSignature[] = []
  const reasons: string[] = []
  let unsigned = true
  for (const rule of policy.anyOf) {
    try {
      return await decide(rule, examine)
    } catch (error) {
      if (!(error instanceof PolicyRejected || error instanceof SignatureInvalid)) throw error
      const nested = error instanceof PolicyRejected
      rejected.push(...(nested ? error.rejected : [{ error }]))
      unsigned &&= nested && error.reason === 'NO_SIGNATURES'
      reasons.push(error.message)
    }
  }
  const reason = unsigned ? 'NO_SIGNATURES' : 'NO_MATCHING_SIGNATURE'
  throw new PolicyRejected(
    reason,
    `no alternative of the policy holds: ${reasons.join('; ')}`,
    rejected,
  )
}
