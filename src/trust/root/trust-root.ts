/**
 * `spindle/trust-root`: the trusted root of the public-good sigstore instance, as data.
 *
 * A separate entry point, so that bundles with another trusted root do not include it.
 */
import publicGood from '../public-good.json'
import publicGoodTuf from '../public-good-tuf-root.json'

/**
 * The public-good instance's `trusted_root.json`: `rekor.sigstore.dev`, `fulcio.sigstore.dev` and
 * `timestamp.sigstore.dev`, including their former keys for old signatures.
 *
 * Exported from `spindle/trust-root`.
 *
 * A snapshot from the release of this package. The instance only adds keys, so an old snapshot rejects
 * signatures of newer logs, but accepts no key that the current root has dropped. `updateTrustedRoot` of
 * `spindle/tuf` fetches the current root.
 *
 * @example Verify the identity of a release workflow
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
 * The TUF root of the public-good instance, version 14: the starting point of `updateTrustedRoot` of
 * `spindle/tuf`. It can have expired; the root that the update arrives at must not have.
 *
 * Exported from `spindle/trust-root`.
 */
export const publicGoodTufRoot: object = publicGoodTuf
