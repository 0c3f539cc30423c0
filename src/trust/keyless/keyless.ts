/** Signing without a key to keep: a certificate for minutes, and witnesses for the time. */
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
  Testimony,
  Witness,
} from '../cosign/sign-artifact.ts'
import { createKeySigner } from '../keys/signer.ts'
import { assertServices, publicGoodServices, type SigningServices } from './signing-config.ts'
import { requestTimestamp } from '../services/timestamp-client.ts'
import { parseTrustedRoot, type TrustedRoot } from '../root/trusted-root.ts'
import { verifyLogEntry } from '../log/transparency-log.ts'
import { verifyEvidence } from '../bundle/verify-signature.ts'

export interface WitnessOptions extends ServiceOptions {
  /** Default: the public-good instance. */
  services?: Pick<SigningServices, 'rekor' | 'timestamp'>
  /** What the services answer is checked against it before anything is written. */
  trustedRoot: unknown
}

export interface KeylessOptions extends ServiceOptions {
  /** An OpenID Connect token for the audience, or how to get one; asked once per signing. */
  identityToken: string | (() => string | Promise<string>)
  /** Default: the public-good instance. */
  services?: SigningServices
  trustedRoot: unknown
  /** Default `sigstore`. */
  audience?: string
}

const SERVICE_OPTIONS = { fetch: true, signal: true } as const
const WITNESS_OPTIONS: Readonly<Record<keyof WitnessOptions, true>> = {
  ...SERVICE_OPTIONS,
  services: true,
  trustedRoot: true,
}
const KEYLESS_OPTIONS: Readonly<Record<keyof KeylessOptions, true>> = {
  ...WITNESS_OPTIONS,
  identityToken: true,
  audience: true,
}

/**
 * A transparency log and a timestamp authority that vouch for signatures made with a key.
 *
 * Exported from `spindle/keyless`.
 *
 * @example A key's signature that `cosign verify --key` accepts without further flags
 * ```ts
 * await sign('ghcr.io/team/app:1', signer, { witness: createWitness({ trustedRoot: publicGoodRoot }) })
 * ```
 * @throws `TypeError` when neither is named.
 */
export function createWitness(options: WitnessOptions): Witness {
  assertKnownOptions(options, WITNESS_OPTIONS, 'createWitness')
  const { services = publicGoodServices, trustedRoot, ...rest } = options
  assertServices(services, ['rekor', 'timestamp'])
  const root = parseTrustedRoot(trustedRoot)
  if (services.rekor === false && services.timestamp === false)
    throw new TypeError('a witness needs a transparency log or a timestamp authority')
  return {
    attest: (fresh, { signal } = {}) =>
      attest(fresh, services, root, { ...rest, ...(signal && { signal }) }),
  }
}

async function attest(
  fresh: FreshSignature,
  services: Pick<SigningServices, 'rekor' | 'timestamp'>,
  root: TrustedRoot,
  options: ServiceOptions,
): Promise<Testimony> {
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
 * Signs as the bearer of an identity token, with a key that exists for one signing.
 *
 * Exported from `spindle/keyless`. With the public-good instance, the e-mail address in the token
 * and the digest that is signed become public for ever.
 *
 * @example In a GitHub workflow with `permissions: id-token: write`
 * ```ts
 * const signer = createKeylessSigner({ identityToken: fetchIdentityToken, trustedRoot: publicGoodRoot })
 * await sign('ghcr.io/team/app:1', signer)
 * ```
 * @throws when signing: `ERR_CREDENTIALS_INVALID` for the token, `ResponseError` of the service that
 * refused, `SignatureInvalid` for an answer that does not hold. Nothing is written then.
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
    throw new TypeError('signing without a key needs a certificate authority: name a Fulcio')
  if (services.rekor === false && services.timestamp === false)
    throw new TypeError(
      'a certificate for minutes needs a transparency log or a timestamp authority to confirm the time',
    )
  if (services.rekor !== false && services.rekor.version === 2 && services.timestamp === false)
    throw new TypeError(
      'a log of version 2 confirms no time: a timestamp authority is needed beside it',
    )
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
          'the certificate does not say who vouched for the identity: nobody could verify it; ask who runs this Fulcio',
        )
      const rule = (await loadPolicy({
        identity: identity.identity,
        issuer: identity.issuer,
        trustedRoot,
        requireTransparencyLog: services.rekor !== false,
      })) as LoadedRule
      const witness: Witness = {
        async attest(fresh, { signal: later = signal } = {}) {
          const testimony = await attest(fresh, services, root, {
            ...call,
            ...(later && { signal: later }),
          })
          // As whoever verifies it will, the times against the certificate included.
          const { signature, data, envelope } = fresh
          await verifyEvidence(
            {
              signature,
              data,
              ...(envelope && { payload: envelope.payload }),
              certificates: [parseCertificate(fresh.verifier)],
              ...testimony,
            },
            rule,
          )
          return testimony
        },
      }
      return { signer, certificates, witness }
    },
  }
}
