/** Finds the signatures that cosign and Spindle stored with an artifact. */
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

/** A store to search for signatures. */
export type SignatureStore = ReadStore & Partial<ReferrerStore>

/** A verified signature and its location. */
export interface StoredSignature extends VerifiedBundle, VerifiedSignature {
  /** Storage format: a sigstore bundle, or a legacy signature. */
  readonly format: SignatureFormat
}

/** A parsed signature, not yet verified. */
interface Candidate {
  readonly format: SignatureFormat
  /** The referrer's manifest, or the layer with the payload. */
  readonly source: Descriptor
  verify(rule: LoadedRule): Promise<StoredSignature>
}

/** A stored signature that cannot be read or parsed. */
interface Unreadable {
  readonly source: Descriptor
  readonly error: SpindleError
}

/** Most referrers to read: each costs two requests. */
export const MAX_REFERRERS = 256
/** Largest payload of a legacy signature: 250 bytes plus its annotations. */
const MAX_PAYLOAD_BYTES: number = 64 * 1024

/**
 * Finds bundles, then legacy signatures. Yields unreadable ones with their error; throws network errors and
 * other errors of the store.
 */
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
        : await orUnreadable(referrer, () => readReferrer(store, subject, referrer, options))
    for (const one of found) if ('error' in one || formats.includes(one.format)) yield one
  }
  const tag = formats.includes('legacy') ? signatureTag(subject.digest) : undefined
  const manifest = tag && (await resolveOptional(store, tag, options))
  if (!manifest) return
  yield* await orUnreadable(manifest, async () =>
    legacyLayers(store, subject, await readManifest(store, manifest, options), options),
  )
}

/** Returns an unreadable signature with its error; rethrows other errors. */
async function orUnreadable<T>(
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
 * Lists referrers of the referrers API, then those of the fallback tag: a registry that added the API later
 * may not list earlier signatures.
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
        `${subject.digest} has more than ${MAX_REFERRERS} referrers that can be signatures: delete those that are not needed`,
      )
    return seen.add(referrer.digest) !== undefined
  }
  try {
    for await (const referrer of store.referrers?.(subject, options) ?? [])
      if (isNew(referrer)) yield referrer
  } catch (error) {
    if (!isUnreadable(error) || error.code === 'ERR_LIMIT_EXCEEDED') throw error
    // Continue after a malformed list: the fallback tag and the legacy tag can still have signatures.
    yield { source: subject, error }
  }
  const tagged = await resolveOptional(store, referrersTag(subject.digest), options)
  const list = async (): Promise<readonly Descriptor[]> => {
    const index = await readManifest(store, tagged!, options)
    return index.kind === 'index' ? index.manifests : []
  }
  for (const referrer of tagged === undefined ? [] : await orUnreadable(tagged, list))
    if ('error' in referrer || isNew(referrer)) yield referrer
}

/** Whether a referrer can be a signature. Registries and older tools leave out or change the type. */
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
    throw malformed('the subject of its manifest is another artifact')
  if (!isBundle) return legacyLayers(store, subject, manifest, options)
  const [layer, surplus] = layers
  if (layer === undefined || surplus !== undefined)
    throw malformed(`its manifest should have one layer and has ${layers.length}`)
  const bundle = parseBundle(await readBytes(store, layer, MAX_BUNDLE_BYTES, options))
  if (bundle.version < 3) throw malformed('a bundle stored as a referrer needs version 0.3')
  const verify = async (rule: LoadedRule): Promise<StoredSignature> => {
    if (bundle.content.kind !== 'envelope')
      throw new SignatureInvalid(
        'PAYLOAD_TYPE',
        'the stored bundle is over bare bytes, not over a statement about the artifact',
      )
    // Without this, any attestation by the same signer would count as a signature.
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
  if (manifest.kind !== 'manifest')
    throw malformed('its tag points to an index instead of a manifest')
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

/** Adds the location, and the fields of `VerifiedSignature`. */
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

/** Whether an error is caused by the stored content, not by the network or the server. */
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
  return new SignatureInvalid('BUNDLE_MALFORMED', `the stored signature is malformed: ${why}`)
}
