/**
 * The trusted root of the public-good sigstore instance, as data.
 *
 * Apart from the verifier, so that who trusts somebody else doesn't carry it.
 */
import publicGood from '../public-good.json'
import publicGoodTuf from '../public-good-tuf-root.json'

/**
 * The public-good instance's `trusted_root.json`: `rekor.sigstore.dev`, `fulcio.sigstore.dev` and
 * `timestamp.sigstore.dev`, with their former keys for old signatures.
 *
 * Exported from `spindle/trust-root`.
 *
 * A snapshot. The instance only ever adds to it, so an old one refuses signatures of newer logs
 * and never accepts what a new one would refuse for its key alone; `updateTrustedRoot` fetches the present one.
 *
 * @example Who may have signed
 * ```ts
 * await verify('ghcr.io/team/app:1', {
 *   identity: 'https://github.com/team/app/.github/workflows/release.yml@refs/heads/main',
 *   issuer: 'https://token.actions.githubusercontent.com',
 *   trustedRoot: publicGoodRoot,
 * })
 * ```
 */
export const publicGoodRoot: object = publicGood

/**
 * The root of the public-good instance's update repository, version 14: what `updateTrustedRoot` of
 * `spindle/tuf` starts from. It may have expired; the one that it leads to may not.
 *
 * Exported from `spindle/trust-root`.
 */
export const publicGoodTufRoot: object = publicGoodTuf
