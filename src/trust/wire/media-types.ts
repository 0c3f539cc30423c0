/** Media types, annotation keys and predicate types of signatures. */

export const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'
export const BUNDLE_PREFIX = 'application/vnd.dev.sigstore.bundle'
/** Manifest of legacy signatures stored as a referrer, an experimental option of cosign 2. */
export const LEGACY_REFERRER_TYPE = 'application/vnd.dev.cosign.artifact.sig.v1+json'
export const SIMPLE_SIGNING_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json'
export const PAYLOAD_KIND = 'cosign container image signature'

/** Predicate type of `cosign sign` (cosign ≥3); other types are attestations, not signatures. */
export const COSIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1'
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'
export const IN_TOTO_TYPE = 'application/vnd.in-toto+json'

/** Annotations of a layer with a legacy signature. */
export const SIGNATURE_KEY = 'dev.cosignproject.cosign/signature'
export const CERTIFICATE_KEY = 'dev.sigstore.cosign/certificate'
export const CHAIN_KEY = 'dev.sigstore.cosign/chain'
export const LOG_KEY = 'dev.sigstore.cosign/bundle'
export const TIMESTAMP_KEY = 'dev.sigstore.cosign/rfc3161timestamp'
