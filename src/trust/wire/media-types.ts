/** Names in manifests, annotations and payloads of signatures. */

export const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'
export const BUNDLE_PREFIX = 'application/vnd.dev.sigstore.bundle'
/** The older form's manifest, stored as a referrer by an experimental cosign option. */
export const LEGACY_REFERRER_TYPE = 'application/vnd.dev.cosign.artifact.sig.v1+json'
export const SIMPLE_SIGNING_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json'
export const PAYLOAD_KIND = 'cosign container image signature'

/** What cosign ≥3 writes for `cosign sign`; any other type is an attestation, not a signature. */
export const COSIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1'
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'
export const IN_TOTO_TYPE = 'application/vnd.in-toto+json'

/** Annotations of a layer in the older form. */
export const SIGNATURE_KEY = 'dev.cosignproject.cosign/signature'
export const CERTIFICATE_KEY = 'dev.sigstore.cosign/certificate'
export const CHAIN_KEY = 'dev.sigstore.cosign/chain'
export const LOG_KEY = 'dev.sigstore.cosign/bundle'
export const TIMESTAMP_KEY = 'dev.sigstore.cosign/rfc3161timestamp'
