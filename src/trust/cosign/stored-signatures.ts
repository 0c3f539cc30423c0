/** Finds what cosign and this library have attached to an artifact. */
import { SignatureInvalid, SpindleError } from '../../errors.ts'
import { EMPTY_TYPE, type Manifest } from '../../oci/manifest.ts'
import { referrersTag } from '../../oci/reference.ts'
import type {
  Descriptor,
  Digest,
  OperationOptions,
  ReadStore,
  ReferrerStore,
  VerifiedSignature,
} from '../../types.ts'
import { MAX_BUNDLE_BYTES, parseBundle } from '../bundle/bundle.ts'
import { verifyLegacySignature } from './legacy-signature.ts'
import {
  BUNDLE_PREFIX,
  COSIGN_PREDICATE,
  LEGACY_REFERRER_TYPE,
  SIMPLE_SIGNING_TYPE,
} from '../wire/media-types.ts'
import type { LoadedRule } from '../policy/load-policy.ts'
import type { SignatureFormat } from '../policy/policy.ts'
import {
  readBytes,
  readManifest,
  resolveOptional,
  signatureTag,
  MAX_SIGNATURE_LAYERS,
} from './signature-manifest.ts'
import { verifyParsedBundle, type VerifiedBundle } from '../bundle/verify-bundle.ts'

/** Where signatures are looked for. */
export type SignatureStore = ReadStore & Partial<ReferrerStore>

/** A signature that holds, and where it was found. */
export interface StoredSignature extends VerifiedBundle, VerifiedSignature {
  readonly format: SignatureFormat
}

/** Something that may be a signature, read but not verified. */
interface Candidate {
  readonly format: SignatureFormat
  /** The referrer's manifest, or the layer with the payload. */
  readonly source: Descriptor
  verify(rule: LoadedRule): Promise<StoredSignature>
}

/** What was found where a signature should be, and can't be read. */
interface Unreadable {
  readonly source: Descriptor
  readonly error: SpindleError
}

/** Referrers looked at: each costs two requests. */
export const MAX_REFERRERS = 256
/** A payload has 250 bytes and its annotations. */
const MAX_PAYLOAD_BYTES: number = 64 * 1024

/** Bundles first, then the older form; what can't be read says why, trouble on the way there rejects. */
export async function* findSignatures(
  store: SignatureStore,
  subject: Descriptor,
  formats: readonly SignatureFormat[],
  options: OperationOptions = {},
): AsyncGenerator<Candidate | Unreadable> {
  for await (const referrer of referrersOf(store, subject, options)) {
    const found =
      'error' in referrer
        ? [referrer]
        : await attempt(referrer, () => readReferrer(store, subject, referrer, options))
    for (const one of found) if ('error' in one || formats.includes(one.format)) yield one
  }
  const tag = formats.includes('legacy') ? signatureTag(subject.digest) : undefined
  const manifest = tag && (await resolveOptional(store, tag, options))
  if (!manifest) return
  yield* await attempt(manifest, async () =>
    legacyLayers(store, subject, await readManifest(store, manifest, options), options),
  )
}

/** What can't be read is told and passed over; trouble on the way to it rejects. */
async function attempt<T>(
  source: Descriptor,
  read: () => Promise<readonly T[]>,
): Promise<ReadonlyArray<T | Unreadable>> {
  try {
    return await read()
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return [{ source, error }]
  }
}

/**
 * From the referrers API, then from the tag that replaces it: a registry that has the API now need not
 * list what was signed before it had it, whatever else it lists.
 */
async function* referrersOf(
  store: SignatureStore,
  subject: Descriptor,
  options: OperationOptions,
): AsyncGenerator<Descriptor | Unreadable> {
  const seen = new Set<Digest>()
  const isNew = (referrer: Descriptor): boolean => {
    if (!maySign(referrer) || seen.has(referrer.digest)) return false
    if (seen.size === MAX_REFERRERS)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `${subject.digest} has more than ${MAX_REFERRERS} referrers that may be signatures`,
      )
    return seen.add(referrer.digest) !== undefined
  }
  try {
    for await (const referrer of store.referrers?.(subject, options) ?? [])
      if (isNew(referrer)) yield referrer
  } catch (error) {
    if (!isUnreadable(error) || error.code === 'ERR_LIMIT_EXCEEDED') throw error
    // A list with one broken entry hides neither what the tag has, nor the older form.
    yield { source: subject, error }
  }
  const tagged = await resolveOptional(store, referrersTag(subject.digest), options)
  const list = async (): Promise<readonly Descriptor[]> => {
    const index = await readManifest(store, tagged!, options)
    return index.kind === 'index' ? index.manifests : []
  }
  for (const referrer of tagged === undefined ? [] : await attempt(tagged, list))
    if ('error' in referrer || isNew(referrer)) yield referrer
}

/** A descriptor's type only rules out what says to be something else: registries and older tools get it wrong. */
function maySign({ artifactType = '' }: Descriptor): boolean {
  return (
    ['', EMPTY_TYPE, LEGACY_REFERRER_TYPE].includes(artifactType) ||
    artifactType.startsWith(BUNDLE_PREFIX)
  )
}

async function readReferrer(
  store: SignatureStore,
  subject: Descriptor,
  referrer: Descriptor,
  options: OperationOptions,
): Promise<Candidate[]> {
  const manifest = await readManifest(store, referrer, options)
  if (manifest.kind !== 'manifest') return []
  const { artifactType = '', config, layers } = manifest
  const isBundle = [artifactType, ...layers.map((layer) => layer.mediaType)].some((type) =>
    type.startsWith(BUNDLE_PREFIX),
  )
  if (
    !isBundle &&
    artifactType !== LEGACY_REFERRER_TYPE &&
    config.mediaType !== LEGACY_REFERRER_TYPE
  )
    return []
  if (manifest.subject?.digest !== subject.digest)
    throw malformed('its manifest is about another artifact')
  if (!isBundle) return legacyLayers(store, subject, manifest, options)
  const [layer, surplus] = layers
  if (layer === undefined || surplus !== undefined)
    throw malformed(`its manifest has ${layers.length} layers, not one`)
  const bundle = parseBundle(await readBytes(store, layer, MAX_BUNDLE_BYTES, options))
  if (bundle.version < 3) throw malformed('bundles with an artifact are of version 0.3 or later')
  const verify = async (rule: LoadedRule): Promise<StoredSignature> => {
    if (bundle.content.kind !== 'envelope')
      throw new SignatureInvalid(
        'PAYLOAD_TYPE',
        'the bundle signs bytes, not a statement about an artifact',
      )
    // Any attestation by the same signer would pass for a signature otherwise.
    const strict = { ...rule, predicateTypes: rule.predicateTypes ?? [COSIGN_PREDICATE] }
    return locate(await verifyParsedBundle(bundle, { digest: subject.digest }, strict), referrer)
  }
  return [{ format: 'bundle', source: referrer, verify }]
}

function legacyLayers(
  store: SignatureStore,
  subject: Descriptor,
  manifest: Manifest,
  options: OperationOptions,
): Candidate[] {
  if (manifest.kind !== 'manifest') throw malformed('an index stands where signatures belong')
  const layers = manifest.layers.filter(({ mediaType }) => mediaType === SIMPLE_SIGNING_TYPE)
  return layers.slice(0, MAX_SIGNATURE_LAYERS).map((source) => ({
    format: 'legacy',
    source,
    verify: async (rule) => {
      const payload = await readBytes(store, source, MAX_PAYLOAD_BYTES, options)
      return locate(
        await verifyLegacySignature(payload, source.annotations ?? {}, subject.digest, rule),
        source,
      )
    },
  }))
}

/** With what a caller asks for first in one place. */
function locate(verified: VerifiedBundle, descriptor: Descriptor): StoredSignature {
  const { signer, times } = verified
  const [first] = times.map(({ at }) => at).sort((a, b) => a.getTime() - b.getTime())
  return {
    ...verified,
    descriptor,
    ...(signer.kind === 'certificate' && { identity: signer.identity }),
    ...(signer.kind === 'certificate' && signer.issuer !== undefined && { issuer: signer.issuer }),
    ...(first !== undefined && { signedAt: first }),
  }
}

/** Whether an error is about the bytes that came, rather than about their coming. */
export function isUnreadable(error: unknown): error is SpindleError {
  return error instanceof SpindleError && UNREADABLE.has(error.code)
}
const UNREADABLE: ReadonlySet<string> = new Set([
  'ERR_CONTENT_INVALID',
  'ERR_DIGEST_MISMATCH',
  'ERR_LIMIT_EXCEEDED',
  'ERR_NOT_FOUND',
  'ERR_SIGNATURE_INVALID',
  'ERR_UNSUPPORTED',
])

function malformed(why: string): SignatureInvalid {
  return new SignatureInvalid('BUNDLE_MALFORMED', `the stored signature can't be read: ${why}`)
}
