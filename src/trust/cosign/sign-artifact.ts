import { formatBase64 } from '../../bytes/base64.ts'
import { rawDigestOf } from '../../bytes/digest.ts'
import { isPlainObject } from '../../bytes/json.ts'
import { rewordError } from '../../bytes/reword-error.ts'
import { SpindleError } from '../../errors.ts'
import type { Descriptor, OperationOptions, Store } from '../../types.ts'
import { attachBundle, attachLayer } from './attach.ts'
import { formatStatement, preAuthEncoding } from '../bundle/dsse.ts'
import { formatBundle } from '../bundle/format-bundle.ts'
import { IN_TOTO_TYPE } from '../wire/media-types.ts'
import { signatureTag } from './signature-manifest.ts'
import { signChecked, type Signer } from '../keys/signer.ts'
import { formatLayerAnnotations, formatPayload } from './simple-signing.ts'
import type { LogEntry } from '../log/transparency-log.ts'

/** A new signature, before its countersignatures. */
export interface FreshSignature {
  /** Wire encoding: DER for ECDSA. */
  readonly signature: Uint8Array
  /** The signed bytes: a simple-signing payload, or the pre-authentication encoding of an envelope. */
  readonly data: Uint8Array
  /** The parts of the DSSE envelope; absent for a signature over bare bytes. */
  readonly envelope?: {
    /** Media type of the payload. */
    readonly payloadType: string
    /** The payload's bytes, such as an in-toto statement. */
    readonly payload: Uint8Array
  }
  /** DER of the certificate, or the SubjectPublicKeyInfo of the public key. */
  readonly verifier: Uint8Array
  /** Whether `verifier` is a certificate. */
  readonly isCertificate: boolean
}

/** Log entries and timestamps of one signature, verified. */
export interface Countersignatures {
  /** Entries of transparency logs, with their proofs. */
  readonly entries: readonly LogEntry[]
  /** RFC 3161 timestamps: DER TimeStampResp. */
  readonly timestamps: readonly Uint8Array[]
}

/**
 * Records signatures in a transparency log and has them timestamped: see `createCountersigner` in
 * `spindle/keyless`.
 */
export interface Countersigner {
  /** Resolves with verified log entries and timestamps; if it rejects, no signature is stored. */
  countersign(
    fresh: FreshSignature,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<Countersignatures>
}

/**
 * Signs with an ephemeral key and a short-lived certificate that names an identity: see
 * `createKeylessSigner` in `spindle/keyless`.
 */
export interface CertifyingSigner {
  /** Creates a key and has it certified; called once per `sign`. */
  certify(options?: { signal?: AbortSignal | undefined }): Promise<{
    /** The ephemeral key. */
    readonly signer: Signer
    /** DER, leaf first. */
    readonly certificates: readonly Uint8Array[]
    /** Proves that the signature was made while the certificate was valid. */
    readonly countersigner: Countersigner
  }>
}

/** Options for signing an artifact. */
export interface SignArtifactOptions extends OperationOptions {
  /**
   * `referrer` writes a sigstore bundle as a referrer, as cosign ≥3 does. `tag` writes a legacy signature
   * under the tag `sha256-….sig`, which cosign 1 and 2 and many admission controllers need. `both` writes
   * both. Default `referrer`.
   */
  attach?: 'referrer' | 'tag' | 'both'
  /** Annotations that are signed with the digest. Default: none. */
  annotations?: Readonly<Record<string, string>>
  /**
   * Records a key's signature in a transparency log or has it timestamped. Not for keyless signers, which
   * bring their own. Default: none; no service is contacted.
   */
  countersigner?: Countersigner
  /** `org.opencontainers.image.created` of the referrer. Left out by default. */
  created?: Date
  /** The signed name in a legacy signature, as `registry/repository`. Default: the artifact's location. */
  reference?: string
}

/** The stored signatures of one `sign`. */
export interface SignResult {
  /** The signed artifact. */
  readonly descriptor: Descriptor
  /** Descriptors of the referrer's manifest and of the layer under the `.sig` tag, as far as written. */
  readonly written: readonly Descriptor[]
  /** Positions of the signatures in transparency logs; empty without a log. */
  readonly logEntries: ReadonlyArray<{
    /** SHA-256 of the log's public key, hexadecimal. */
    readonly logId: string
    /** Index in the whole log. */
    readonly index: number
  }>
  /** The bundle's JSON; absent with `attach: 'tag'`. */
  readonly bundle?: Uint8Array
}

/** Signs a resolved artifact and stores the signature in its repository. */
export async function signArtifact(
  store: Store,
  subject: Descriptor,
  signer: Signer | CertifyingSigner,
  options: SignArtifactOptions = {},
): Promise<SignResult> {
  const {
    attach = 'referrer',
    annotations = {},
    reference = '',
    created,
    countersigner: _,
    ...operation
  } = options
  if (!['referrer', 'tag', 'both'].includes(attach))
    throw new TypeError("`attach` should be 'referrer', 'tag' or 'both'")
  if (!isPlainObject(annotations))
    throw new TypeError('`annotations` should be an object of strings')
  for (const [key, value] of Object.entries(annotations)) {
    if (typeof value !== 'string') throw new TypeError(`the annotation ${key} should be a string`)
  }
  assertCountersigner(options.countersigner, signer)
  const tag = attach === 'referrer' ? undefined : signatureTag(subject.digest)
  if (attach !== 'referrer' && tag === undefined)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      "legacy signatures have no tag for a sha512 digest: use attach: 'referrer'",
    )
  const session =
    'certify' in signer
      ? await signer.certify(signalOf(options))
      : { signer, certificates: [], countersigner: options.countersigner }

  // Create and countersign all signatures before writing the first byte.
  const bundle =
    attach === 'tag' ? undefined : await makeBundle(session, subject, annotations, options)
  const layer =
    tag === undefined
      ? undefined
      : await makeLayer(session, formatPayload(subject.digest, reference, annotations), options)

  const written: Descriptor[] = []
  if (bundle !== undefined)
    written.push(await attachBundle(store, subject, bundle.bytes, created, operation))
  if (tag !== undefined && layer !== undefined) {
    try {
      written.push(await attachLayer(store, tag, layer.payload, layer.annotations, operation))
    } catch (cause) {
      options.signal?.throwIfAborted()
      if (bundle === undefined || !(cause instanceof SpindleError)) throw cause
      throw rewordError(
        cause,
        `the bundle was attached as ${written[0]!.digest}, but the legacy signature was not: ${cause.message}; sign again with attach: 'tag'`,
      )
    }
  }
  return {
    descriptor: subject,
    written,
    logEntries: [bundle, layer].flatMap((made) => made?.logEntries ?? []),
    ...(bundle !== undefined && { bundle: bundle.bytes }),
  }
}

/** Rejects a countersigner that would not be called: the caller expects its log entry or timestamp. */
function assertCountersigner(
  countersigner: Countersigner | undefined,
  signer: Signer | CertifyingSigner,
): void {
  if (countersigner === undefined) return
  if (typeof countersigner?.countersign !== 'function')
    throw new TypeError(
      '`countersigner` should be a Countersigner, such as the result of `createCountersigner` of `spindle/keyless`',
    )
  if ('certify' in signer)
    throw new TypeError(
      '`countersigner` is for signing with a key: `createKeylessSigner` has its own log and timestamp authority',
    )
}

interface Made {
  readonly logEntries: SignResult['logEntries']
}

interface Session {
  readonly signer: Signer
  readonly certificates: readonly Uint8Array[]
  readonly countersigner: Countersigner | undefined
}

async function makeBundle(
  session: Session,
  subject: Descriptor,
  annotations: Readonly<Record<string, string>>,
  options: SignArtifactOptions,
): Promise<Made & { bytes: Uint8Array }> {
  const envelope = {
    payloadType: IN_TOTO_TYPE,
    payload: formatStatement(subject.digest, annotations),
  }
  const { signature, ...countersignatures } = await signAndCountersign(
    session,
    preAuthEncoding(envelope.payloadType, envelope.payload),
    envelope,
    options,
  )
  const [certificate] = session.certificates
  const verifier =
    certificate === undefined
      ? { hint: formatBase64(await rawDigestOf(session.signer.publicKey)) }
      : { certificate }
  return {
    bytes: formatBundle({ verifier, ...countersignatures, envelope: { ...envelope, signature } }),
    logEntries: positionsOf(countersignatures),
  }
}

function positionsOf({ entries }: Countersignatures): SignResult['logEntries'] {
  return entries.map(({ logId, index }) => ({ logId, index }))
}

async function makeLayer(
  session: Session,
  payload: Uint8Array,
  options: SignArtifactOptions,
): Promise<Made & { payload: Uint8Array; annotations: Record<string, string> }> {
  const { signature, entries, timestamps } = await signAndCountersign(
    session,
    payload,
    undefined,
    options,
  )
  const entry = entries.find(({ promise }) => promise !== undefined)
  if (entries.length > 0 && entry === undefined) {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      "legacy signatures need a signed entry timestamp, which this transparency log does not return: use attach: 'referrer', or a Rekor v1 log",
    )
  }
  const [timestamp] = timestamps
  return {
    payload,
    logEntries: positionsOf({ entries, timestamps }),
    annotations: formatLayerAnnotations({
      signature,
      certificates: session.certificates,
      ...(entry && { entry }),
      ...(timestamp && { timestamp }),
    }),
  }
}

async function signAndCountersign(
  session: Session,
  data: Uint8Array,
  envelope: FreshSignature['envelope'],
  options: SignArtifactOptions,
): Promise<Countersignatures & { signature: Uint8Array }> {
  options.signal?.throwIfAborted()
  const signature = await signChecked(session.signer, data)
  const [certificate] = session.certificates
  const fresh = {
    signature,
    data,
    ...(envelope && { envelope }),
    verifier: certificate ?? session.signer.publicKey,
    isCertificate: certificate !== undefined,
  }
  const countersignatures = (await session.countersigner?.countersign(
    fresh,
    signalOf(options),
  )) ?? {
    entries: [],
    timestamps: [],
  }
  return { signature, ...countersignatures }
}

function signalOf({ signal }: { signal?: AbortSignal | undefined }): {
  signal?: AbortSignal | undefined
} {
  return signal === undefined ? {} : { signal }
}
