import { formatBase64 } from '../../bytes/base64.ts'
import { rawDigestOf } from '../../bytes/digest.ts'
import { isPlainObject } from '../../bytes/json.ts'
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

/** A signature that was just made, for those who shall vouch for it. */
export interface FreshSignature {
  /** As on the wire. */
  readonly signature: Uint8Array
  /** What it covers. */
  readonly data: Uint8Array
  /** The envelope's parts, when it signs one. */
  readonly envelope?: { readonly payloadType: string; readonly payload: Uint8Array }
  /** DER of the certificate, or of the public key. */
  readonly verifier: Uint8Array
  readonly isCertificate: boolean
}

/** Log entries and timestamps, checked. */
export interface Testimony {
  readonly entries: readonly LogEntry[]
  /** DER TimeStampResp. */
  readonly timestamps: readonly Uint8Array[]
}

/** Transparency logs and timestamp authorities, as one: see `createWitness` in `spindle/keyless`. */
export interface Witness {
  /** Resolves with what was checked already: nothing is written otherwise. */
  attest(fresh: FreshSignature, options?: { signal?: AbortSignal | undefined }): Promise<Testimony>
}

/** Signs as somebody, with a key and a certificate made for one occasion: see `createKeylessSigner` in `spindle/keyless`. */
export interface CertifyingSigner {
  certify(options?: { signal?: AbortSignal | undefined }): Promise<{
    readonly signer: Signer
    readonly certificates: readonly Uint8Array[]
    readonly witness: Witness
  }>
}

export interface SignArtifactOptions extends OperationOptions {
  /**
   * `referrer` writes a sigstore bundle, as cosign ≥3 does; `tag` cosign's older `sha256-….sig`, which
   * cosign 1 and 2 and many admission controllers want; `both` writes both. Default `referrer`.
   */
  attach?: 'referrer' | 'tag' | 'both'
  /** Signed along with the digest. */
  annotations?: Readonly<Record<string, string>>
  /** Puts the signature of a key into a transparency log, or has its time confirmed. Default: nobody is told. */
  witness?: Witness
  /** `org.opencontainers.image.created` of the referrer. Left out by default. */
  created?: Date
  /** The name signed in the older form, as `registry/repository`. Default: where the artifact is. */
  reference?: string
}

export interface SignResult {
  /** What was signed. */
  readonly descriptor: Descriptor
  /** What was written: the referrer's manifest, the layer under the `.sig` tag. */
  readonly written: readonly Descriptor[]
  /** Where the transparency log has each signature; empty when nobody was told. */
  readonly logEntries: ReadonlyArray<{ readonly logId: string; readonly index: number }>
  /** The bundle's bytes, unless only the older form was asked for. */
  readonly bundle?: Uint8Array
}

/** Signs what a reference resolved to, and stores the signature beside it. */
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
    witness: _,
    ...operation
  } = options
  if (!['referrer', 'tag', 'both'].includes(attach))
    throw new TypeError("`attach` is 'referrer', 'tag' or 'both'")
  if (!isPlainObject(annotations)) throw new TypeError('`annotations` is an object of strings')
  for (const [key, value] of Object.entries(annotations)) {
    if (typeof value !== 'string') throw new TypeError(`the annotation ${key} is no string`)
  }
  assertWitness(options.witness, signer)
  const tag = attach === 'referrer' ? undefined : signatureTag(subject.digest)
  if (attach !== 'referrer' && tag === undefined)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      "the older form has no tag for a sha512 digest: use attach: 'referrer'",
    )
  const session =
    'certify' in signer
      ? await signer.certify(signalOf(options))
      : { signer, certificates: [], witness: options.witness }

  // All signatures are made and vouched for before the first byte is written.
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
      throw new SpindleError(
        cause.code,
        `the bundle was attached as ${written[0]!.digest}, but the older form was not: ${cause.message}; sign again with attach: 'tag'`,
        { cause },
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

/** A witness that nobody would ask is refused: the signature was to have its word. */
function assertWitness(witness: Witness | undefined, signer: Signer | CertifyingSigner): void {
  if (witness === undefined) return
  if (typeof witness?.attest !== 'function')
    throw new TypeError('`witness` is what `createWitness` of `spindle/keyless` makes')
  if ('certify' in signer)
    throw new TypeError(
      '`witness` is for a key: who signs without one has the log and timestamp authority of `createKeylessSigner`',
    )
}

interface Made {
  readonly logEntries: SignResult['logEntries']
}

interface Session {
  readonly signer: Signer
  readonly certificates: readonly Uint8Array[]
  readonly witness: Witness | undefined
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
  const { signature, ...testimony } = await signWitnessed(
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
    bytes: formatBundle({ verifier, ...testimony, envelope: { ...envelope, signature } }),
    logEntries: placesOf(testimony),
  }
}

function placesOf({ entries }: Testimony): SignResult['logEntries'] {
  return entries.map(({ logId, index }) => ({ logId, index }))
}

async function makeLayer(
  session: Session,
  payload: Uint8Array,
  options: SignArtifactOptions,
): Promise<Made & { payload: Uint8Array; annotations: Record<string, string> }> {
  const { signature, entries, timestamps } = await signWitnessed(
    session,
    payload,
    undefined,
    options,
  )
  const entry = entries.find(({ promise }) => promise !== undefined)
  if (entries.length > 0 && entry === undefined) {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      "the older form holds signed entry timestamps only, which this transparency log does not give: use attach: 'referrer', or a log of version 1",
    )
  }
  const [timestamp] = timestamps
  return {
    payload,
    logEntries: placesOf({ entries, timestamps }),
    annotations: formatLayerAnnotations({
      signature,
      certificates: session.certificates,
      ...(entry && { entry }),
      ...(timestamp && { timestamp }),
    }),
  }
}

async function signWitnessed(
  session: Session,
  data: Uint8Array,
  envelope: FreshSignature['envelope'],
  options: SignArtifactOptions,
): Promise<Testimony & { signature: Uint8Array }> {
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
  const testimony = (await session.witness?.attest(fresh, signalOf(options))) ?? {
    entries: [],
    timestamps: [],
  }
  return { signature, ...testimony }
}

function signalOf({ signal }: { signal?: AbortSignal | undefined }): {
  signal?: AbortSignal | undefined
} {
  return signal === undefined ? {} : { signal }
}
