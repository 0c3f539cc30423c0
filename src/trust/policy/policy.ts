/** Verification policies. Plain data, so that they can be stored in a file. */
import type { CertificateExtensions } from '../x509/identity.ts'
import type { KeyInput } from '../keys/public-key.ts'

/** Requirements that rules with keys and rules with identities share. */
export interface SignatureRequirements {
  /** Not allowed with `key` or `identity`. */
  readonly anyOf?: never
  /** Not allowed with `key` or `identity`. */
  readonly allOf?: never
  /**
   * A `trusted_root.json`, parsed or as text: the trusted logs, certificate authorities and timestamp
   * authorities. `spindle/trust-root` has the one of the public-good instance.
   */
  readonly trustedRoot?: unknown
  /** Whether a log entry is required. Default true. Log entries are always verified when present. */
  readonly requireTransparencyLog?: boolean
  /** Required signed annotations, by exact value; others are allowed. */
  readonly annotations?: Readonly<Record<string, string>>
  /**
   * Accepted predicate types of statements. Default: that of `cosign sign` for signatures in a registry,
   * any for `verifyBundle`. If set, a bundle without a statement is rejected; a legacy signature counts
   * as `https://sigstore.dev/cosign/sign/v1`.
   */
  readonly predicateTypes?: readonly string[]
  /** Accepted storage formats. Default: both. */
  readonly formats?: readonly SignatureFormat[]
  /**
   * Required signed name, by exact value: the `docker-reference` of a legacy signature, as
   * `registry/repository`, or the name of the subject of a bundle's statement. Bundles of cosign and
   * Spindle contain no name, so only their legacy signatures can satisfy it. Default: any name or none.
   */
  readonly reference?: string
  /** Required number of different signers. Default 1. */
  readonly threshold?: number
}

/**
 * Storage format of a signature: a sigstore bundle (cosign ≥3), or the legacy (simple signing) format of
 * cosign 1 and 2.
 */
export type SignatureFormat = 'bundle' | 'legacy'

/** Requires a signature by one of these keys. */
export interface KeyPolicy
  extends
    SignatureRequirements,
    Partial<Readonly<Record<'identity' | 'issuer' | 'extensions' | 'requireSct' | 'time', never>>> {
  /** One public key, or a list of 1 to 64. */
  readonly key: KeyInput | readonly KeyInput[]
}

/** Requires a signature with a certificate of Fulcio or of a private certificate authority. */
export interface IdentityPolicy
  extends SignatureRequirements, Partial<Readonly<Record<'key', never>>> {
  /**
   * Subject alternative name: e-mail address, URI or user name. An exact string, or a regular expression
   * that has to match entirely.
   */
  readonly identity: string | RegExp
  /**
   * OpenID Connect issuer that authenticated the identity, such as
   * `https://token.actions.githubusercontent.com`. An exact string, or a regular expression that has to
   * match entirely.
   */
  readonly issuer: string | RegExp
  /**
   * A `trusted_root.json`, parsed or as text: the trusted logs, certificate authorities and timestamp
   * authorities. `spindle/trust-root` has the one of the public-good instance.
   */
  readonly trustedRoot: unknown
  /** Required certificate extensions, by exact value, such as the GitHub repository. */
  readonly extensions?: CertificateExtensions
  /** Whether a signed certificate timestamp (SCT) of a trusted log is required. Default true. */
  readonly requireSct?: boolean
  /**
   * Required source of the time of signing: a transparency `log`, a timestamp `authority`, or `any` of
   * them. Default `any`. `now` requires none, but a certificate that is valid at the time of verification:
   * for private certificate authorities only.
   */
  readonly time?: 'any' | 'log' | 'authority' | 'now'
}

/** Satisfied when at least `threshold` rules are satisfied. */
export interface AnyOfPolicy extends Partial<
  Readonly<Record<Exclude<keyof KeyPolicy | keyof IdentityPolicy, 'anyOf' | 'threshold'>, never>>
> {
  /** 1 to 64 rules. */
  readonly anyOf: readonly Policy[]
  /**
   * Number of rules to satisfy, each by a different signer (another key or another identity); a signer
   * that satisfies two rules counts once. Default 1. Above 1, the rules must have one signer each: `allOf`
   * and a `threshold` above 1 inside them are rejected.
   */
  readonly threshold?: number
}

/** Satisfied when every rule is satisfied; the same signer can satisfy several. */
export interface AllOfPolicy extends Partial<
  Readonly<Record<Exclude<keyof KeyPolicy | keyof IdentityPolicy, 'allOf'>, never>>
> {
  /** 1 to 64 rules. */
  readonly allOf: readonly Policy[]
}

/**
 * A verification policy. Exported from the main entry point and `spindle/verify`.
 *
 * Every key is enforced. A key that is unknown, of the wrong type, empty, `null`, or not allowed in its
 * rule is a `TypeError`; `undefined` counts as absent.
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
export type Policy = KeyPolicy | IdentityPolicy | AnyOfPolicy | AllOfPolicy
