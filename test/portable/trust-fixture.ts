import {
  createSigstoreInstance,
  type SigstoreFlaws,
  type SigstoreInstance,
  type TrustedRootJson,
} from '../../mocks/sigstore/instance.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { decodeUtf8, encodeUtf8 } from '../../src/bytes/text.ts'
import { EMPTY_BYTES, EMPTY_DESCRIPTOR, IMAGE_MANIFEST } from '../../src/oci/manifest.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createKeylessSigner } from '../../src/trust/keyless/keyless.ts'
import type { IdentityPolicy } from '../../src/trust/policy/policy.ts'
import type { CertifyingSigner } from '../../src/trust/cosign/sign-artifact.ts'
import { sign } from '../../src/verbs/sign.ts'
import type { Descriptor, Store } from '../../src/types.ts'

export type MemoryStore = ReturnType<typeof createMemoryStore>
// JSON under edit: tests put anything anywhere.
export type Json = any

export const IDENTITY = 'dev@example.org'
export const ISSUER = 'https://accounts.sigstore.test'

export async function pushJson(
  store: Store,
  json: unknown,
  mediaType = IMAGE_MANIFEST,
): Promise<Descriptor> {
  const bytes = encodeUtf8(JSON.stringify(json))
  const descriptor = { mediaType, digest: await digestOf(bytes), size: bytes.length }
  await store.push(descriptor, bytes)
  return descriptor
}

export async function createArtifact(store: Store, note = 'hello'): Promise<Descriptor> {
  await store.push(EMPTY_DESCRIPTOR, EMPTY_BYTES)
  return pushJson(store, {
    schemaVersion: 2,
    mediaType: IMAGE_MANIFEST,
    config: EMPTY_DESCRIPTOR,
    layers: [],
    annotations: { note },
  })
}

export interface Keyless {
  readonly sigstore: SigstoreInstance
  readonly store: MemoryStore
  readonly artifact: Descriptor
  /** A fresh copy of the bundle, parsed. */
  readonly bundle: () => Json
  readonly root: () => TrustedRootJson
  readonly policy: (more?: Partial<IdentityPolicy>) => IdentityPolicy
}

export function keylessSigner(
  sigstore: SigstoreInstance,
  version: 1 | 2 = 1,
  claims?: Record<string, unknown>,
): CertifyingSigner {
  const services = version === 1 ? sigstore.services : sigstore.servicesV2
  return createKeylessSigner({
    fetch: sigstore.fetch,
    services,
    trustedRoot: sigstore.trustedRoot(),
    identityToken: () => sigstore.issueToken(claims),
  })
}

/** An artifact signed keyless in a store, with all that is needed to verify it. */
export async function signKeyless(
  options: {
    version?: 1 | 2
    clock?: () => Date
    flaws?: SigstoreFlaws
    claims?: Record<string, unknown>
  } = {},
): Promise<Keyless> {
  const sigstore = await createSigstoreInstance(options)
  const store = createMemoryStore()
  const artifact = await createArtifact(store)
  const { bundle } = await sign(
    { store, ref: artifact.digest },
    keylessSigner(sigstore, options.version, options.claims),
  )
  const text = decodeUtf8(bundle!)!
  return {
    sigstore,
    store,
    artifact,
    bundle: () => JSON.parse(text) as Json,
    root: sigstore.trustedRoot,
    policy: (more = {}) => ({
      identity: IDENTITY,
      issuer: ISSUER,
      trustedRoot: sigstore.trustedRoot(),
      ...more,
    }),
  }
}

/** `Array.fromAsync`, which Node 20 does not have. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
