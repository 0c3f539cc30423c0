/** What has to be proven about an artifact. Data, so that it can stand in a file. */
import type { CertificateExtensions } from '../x509/identity.ts'
import type { KeyInput } from '../keys/public-key.ts'

/** Requirements that a rule with keys and one with identities share. */
export interface SignatureRequirements {
  /** Not part of a rule: the compiler refuses it, and so does loading the policy. */
  readonly anyOf?: never
  /** As `anyOf`. */
  readonly allOf?: never
  /**
   * A `trusted_root.json`, parsed or as text: whose logs, certificates and timestamps count.
   * `spindle/trust-root` has the public-good one.
   */
  readonly trustedRoot?: unknown
  /** Whether a transparency log has to hold the signature. Default true. Entries that are there are verified anyway. */
  readonly requireTransparencyLog?: boolean
  /** Annotations that have to be signed along, by exact value; others may be there too. */
  readonly annotations?: Readonly<Record<string, string>>
  /**
   * Types of statement that count. Default: `cosign sign`'s alone for an artifact's signatures, any for
   * a bundle passed to `verifyBundle`. With it, a bundle without a statement does not count, and a
   * legacy signature counts as `https://sigstore.dev/cosign/sign/v1`.
   */
  readonly predicateTypes?: readonly string[]
  /** Storage formats that count. Default: both. */
  readonly formats?: readonly SignatureFormat[]
  /**
   * The name that has to be signed, by exact value: the `docker-reference` of a legacy signature, as
   * `registry/repository`, or the name of the subject in a bundle's statement. The bundles of cosign and
   * Spindle carry no name, so that only legacy signatures of theirs satisfy it. Default: any name or none.
   */
  readonly reference?: string
  /** How many different signers have to have signed. Default 1. */
  readonly threshold?: number
}

export type SignatureFormat = 'bundle' | 'legacy'

/** Signed with one of these keys. */
export interface KeyPolicy
  extends
    SignatureRequirements,
    Partial<Readonly<Record<'identity' | 'issuer' | 'extensions' | 'requireSct' | 'time', never>>> {
  readonly key: KeyInput | readonly KeyInput[]
}

/** Signed by somebody for whom Fulcio, or a private authority, issued a certificate. */
export interface IdentityPolicy
  extends SignatureRequirements, Partial<Readonly<Record<'key', never>>> {
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

/** Satisfied when enough of the rules are. */
export interface AnyOfPolicy extends Partial<
  Readonly<Record<Exclude<keyof KeyPolicy | keyof IdentityPolicy, 'anyOf' | 'threshold'>, never>>
> {
  readonly anyOf: readonly Policy[]
  /**
   * How many of the rules have to be satisfied, each by another signer: another key, or another
   * identity. Whoever satisfies two rules counts for one. Default 1. Above 1 the rules have one signer
   * each: `allOf` and a `threshold` of their own are refused.
   */
  readonly threshold?: number
}

/** Satisfied when every rule is, be it by the same signer. */
export interface AllOfPolicy extends Partial<
  Readonly<Record<Exclude<keyof KeyPolicy | keyof IdentityPolicy, 'allOf'>, never>>
> {
  readonly allOf: readonly Policy[]
}

/**
 * What has to hold. Exported from the main entry point and `spindle/verify`.
 *
 * Every key is enforced. One that is not known, not of its type, empty or `null`, or that stands where
 * it means nothing, is a `TypeError`; one that is `undefined` counts as absent.
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
