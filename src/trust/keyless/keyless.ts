/** Keyless signing: an ephemeral key, a short-lived certificate, a log entry and a timestamp. */
import { assertKnownOptions } from '../../bytes/known-names.ts'
import { SpindleError } from '../../errors.ts'
import { parseCertificate } from '../x509/certificate.ts'
import { requestCertificate } from './fulcio.ts'
import { submitEntry } from '../services/log-client.ts'
import { loadPolicy, type LoadedRule } from '../policy/load-policy.ts'
import { generateKeyPair } from '../keys/private-key.ts'
import type { ServiceOptions } from '../wire/service-request.ts'
import type {
  CertifyingSigner,
  FreshSignature,
  Countersignatures,
  Countersigner,
} from '../cosign/sign-artifact.ts'
import { createKeySigner } from '../keys/signer.ts'
import { assertServices, publicGoodServices, type SigningServices } from './signing-config.ts'
import { requestTimestamp } from '../services/timestamp-client.ts'
import { parseTrustedRoot, type TrustedRoot } from '../root/trusted-root.ts'
import { verifyLogEntry } from '../log/transparency-log.ts'
import { verifyEvidence } from '../bundle/verify-signature.ts'

/** Options of `createCountersigner`. */
export interface CountersignerOptions extends ServiceOptions {
  /** Addresses of the log and the timestamp authority. Default: the public-good instance. */
  services?: Pick<SigningServices, 'rekor' | 'timestamp'>
  /**
   * A `trusted_root.json`, parsed or as text. Responses of the services are verified against it before a
   * signature is stored.
   */
  trustedRoot: unknown
}

/** Options of `createKeylessSigner`. */
export interface KeylessOptions extends ServiceOptions {
  /** An OpenID Connect token for `audience`, or a function that returns one; called once per signing. */
  identityToken: string | (() => string | Promise<string>)
  /** Addresses of the services. Default: the public-good instance. */
  services?: SigningServices
  /**
   * A `trusted_root.json`, parsed or as text. Responses of the services are verified against it before a
   * signature is stored.
   */
  trustedRoot: unknown
  /** Audience that the identity token must have. Default `sigstore`. */
  audience?: string
}

const SERVICE_OPTIONS = { fetch: true, signal: true } as const
const COUNTERSIGNER_OPTIONS: Readonly<Record<keyof CountersignerOptions, true>> = {
  ...SERVICE_OPTIONS,
  services: true,
  trustedRoot: true,
}
const KEYLESS_OPTIONS: Readonly<Record<keyof KeylessOptions, true>> = {
  ...COUNTERSIGNER_OPTIONS,
  identityToken: true,
  audience: true,
}

/**
 * Records signatures made with a key in a transparency log and has them timestamped.
 *
 * Exported from `spindle/keyless`.
 *
 * @example A key's signature that `cosign verify --key` accepts without further flags
 * ```ts
 * await sign('ghcr.io/team/app:1', signer, { countersigner: createCountersigner({ trustedRoot: publicGoodRoot }) })
 * ```
 * @throws `TypeError` when `services` has neither a log nor a timestamp authority, or for an unknown
 * option; `SignatureInvalid` `TRUST_ROOT_INVALID`.
 */
export function createCountersigner(options: CountersignerOptions): Countersigner {
  assertKnownOptions(options, COUNTERSIGNER_OPTIONS, 'createCountersigner')
  const { services = publicGoodServices, trustedRoot, ...rest } = options
  assertServices(services, ['rekor', 'timestamp'])
  const root = parseTrustedRoot(trustedRoot)
  if (services.rekor === false && services.timestamp === false)
    throw new TypeError(
      'a countersigner needs a transparency log or a timestamp authority: set `services.rekor` or `services.timestamp`',
    )
  return {
    countersign: (fresh, { signal } = {}) =>
      countersign(fresh, services, root, { ...rest, ...(signal && { signal }) }),
  }
}

async function countersign(
  fresh: FreshSignature,
  services: Pick<SigningServices, 'rekor' | 'timestamp'>,
  root: TrustedRoot,
  options: ServiceOptions,
): Promise<Countersignatures> {
  const { signature, data, envelope, verifier } = fresh
  const timestamps =
    services.timestamp === false
      ? []
      : [await requestTimestamp(services.timestamp, signature, root.timestampAuthorities, options)]
  if (services.rekor === false) return { entries: [], timestamps }
  const entry = await submitEntry(services.rekor, fresh, options)
  await verifyLogEntry(
    entry,
    { signature, data, ...(envelope && { payload: envelope.payload }), verifiers: [verifier] },
    root.tlogs,
  )
  return { entries: [entry], timestamps }
}

/**
 * Signs as the identity of an OpenID Connect token, with an ephemeral key.
 *
 * Exported from `spindle/keyless`. With the public-good instance, the e-mail address in the token
 * and the signed digest become public permanently.
 *
 * @example In a GitHub workflow with `permissions: id-token: write`
 * ```ts
 * const signer = createKeylessSigner({ identityToken: fetchIdentityToken, trustedRoot: publicGoodRoot })
 * await sign('ghcr.io/team/app:1', signer)
 * ```
 * @throws `TypeError` for missing services; `SignatureInvalid` `TRUST_ROOT_INVALID`. When signing:
 * `ERR_CREDENTIALS_INVALID` for the token, `ResponseError` for a refused request, `SignatureInvalid` for
 * a response that does not verify; nothing is stored then.
 * @see https://github.com/sigstore/architecture-docs/blob/main/client-spec.md#3-signing
 */
export function createKeylessSigner(options: KeylessOptions): CertifyingSigner {
  assertKnownOptions(options, KEYLESS_OPTIONS, 'createKeylessSigner')
  const {
    identityToken,
    services = publicGoodServices,
    trustedRoot,
    audience = 'sigstore',
    ...rest
  } = options
  assertServices(services, ['fulcio', 'rekor', 'timestamp'])
  const root = parseTrustedRoot(trustedRoot)
  const { fulcio } = services
  if (fulcio === false)
    throw new TypeError('keyless signing needs a certificate authority: set `services.fulcio`')
  if (services.rekor === false && services.timestamp === false)
    throw new TypeError(
      'keyless signing needs a trusted time: set `services.rekor` or `services.timestamp`',
    )
  if (services.rekor !== false && services.rekor.version === 2 && services.timestamp === false)
    throw new TypeError('Rekor v2 does not return a trusted time: set `services.timestamp` as well')
  return {
    async certify({ signal } = {}) {
      const call: ServiceOptions = { ...rest, ...(signal && { signal }) }
      const token = typeof identityToken === 'string' ? identityToken : await identityToken()
      const signer = await createKeySigner(await generateKeyPair({ extractable: false }))
      const { certificates, identity } = await requestCertificate(
        fulcio,
        signer,
        token,
        audience,
        root,
        call,
      )
      if (identity.issuer === undefined)
        throw new SpindleError(
          'ERR_UNSUPPORTED',
          'the certificate names no issuer of the identity, so no policy can match it: check the configuration of this Fulcio instance',
        )
      const rule = (await loadPolicy({
        identity: identity.identity,
        issuer: identity.issuer,
        trustedRoot,
        requireTransparencyLog: services.rekor !== false,
      })) as LoadedRule
      const countersigner: Countersigner = {
        async countersign(fresh, { signal: later = signal } = {}) {
          const countersignatures = await countersign(fresh, services, root, {
            ...call,
            ...(later && { signal: later }),
          })
          // Verify like a later verifier, including the times against the certificate's validity.
          const { signature, data, envelope } = fresh
          await verifyEvidence(
            {
              signature,
              data,
              ...(envelope && { payload: envelope.payload }),
              certificates: [parseCertificate(fresh.verifier)],
              ...countersignatures,
            },
            rule,
          )
          return countersignatures
        },
      }
      return { signer, certificates, countersigner }
    },
  }
}
