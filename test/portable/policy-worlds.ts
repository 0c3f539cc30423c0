import { createSigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createKeylessSigner, createCountersigner } from '../../src/trust/keyless/keyless.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import { sign } from '../../src/verbs/sign.ts'
import { createArtifact, IDENTITY, ISSUER, type Json, type MemoryStore } from './trust-fixture.ts'

export type LeafKind = 'key' | 'identity'

/** Signed artifacts, and policies that each of them satisfies though it could be signed better. */
export interface PolicyWorlds {
  readonly store: MemoryStore
  /** Digests: with an entry in a log but no timestamp, and without an entry. */
  readonly refs: Readonly<Record<LeafKind, { readonly logged: string; readonly unlogged: string }>>
  /** A fresh copy of what those satisfy, as lenient as can be. */
  readonly lenient: (kind: LeafKind) => Json
  /** PEM of a key that signed nothing. */
  readonly otherKey: string
  /** Trusted root of an instance that nobody asked. */
  readonly otherRoot: object
}

export async function createPolicyWorlds(): Promise<PolicyWorlds> {
  const sigstore = await createSigstoreInstance()
  const store = createMemoryStore()
  const pair = await generateKeyPair()
  const key = await formatPublicKey(pair.publicKey)
  const keySigner = await createKeySigner(pair)
  const trustedRoot = sigstore.trustedRoot()
  const { rekor, timestamp } = sigstore.services
  const keyless = (services: object) =>
    createKeylessSigner({
      fetch: sigstore.fetch,
      services: { ...sigstore.services, ...services },
      trustedRoot,
      identityToken: () => sigstore.issueToken(),
    })
  const signed = async (note: string, ...how: readonly unknown[]): Promise<string> => {
    const { digest } = await createArtifact(store, note)
    const [signer, options = {}] = how as [typeof keySigner, object?]
    await sign({ store, ref: digest }, signer, options)
    return digest
  }
  const countersigner = createCountersigner({
    fetch: sigstore.fetch,
    services: { rekor, timestamp: false },
    trustedRoot,
  })
  // Nobody of this root has seen the certificate: only who asks for that notices.
  const blind = { ...sigstore.trustedRoot(), ctlogs: [] }
  return {
    store,
    refs: {
      key: {
        logged: await signed('key, logged', keySigner, { countersigner }),
        unlogged: await signed('key, unlogged', keySigner),
      },
      identity: {
        logged: await signed('identity, logged', keyless({ timestamp: false })),
        unlogged: await signed('identity, unlogged', keyless({ rekor: false, timestamp })),
      },
    },
    lenient: (kind) =>
      structuredClone(
        kind === 'key'
          ? { key, trustedRoot, requireTransparencyLog: false }
          : {
              identity: IDENTITY,
              issuer: ISSUER,
              trustedRoot: blind,
              requireTransparencyLog: false,
              requireSct: false,
            },
      ),
    otherKey: await formatPublicKey((await generateKeyPair()).publicKey),
    otherRoot: (await createSigstoreInstance()).trustedRoot(),
  }
}
