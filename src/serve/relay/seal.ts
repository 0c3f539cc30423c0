import { createTokenSigner } from '../http/signed-token.ts'

/** Seconds that a place for an upload may be used: longer than a large blob takes over a slow line. */
const UPLOAD_LIFETIME: number = 60 * 60
/** Seconds that the address of a token service may be used: clients keep it as long as they run. */
const REALM_LIFETIME: number = 7 * 24 * 60 * 60

/** An address that a registry gave, for one purpose and one registry. */
interface SealedTarget {
  readonly kind: 'token' | 'sealed'
  /** Host and port as in the relay's paths. */
  readonly registry: string
  /** What the upload is for; empty for a token service. */
  readonly repository: string
  readonly url: string
}

/** Signs addresses, so that clients can hand back those that registries gave, and no others. */
export interface Sealer {
  seal(target: SealedTarget): Promise<string>
  /** `undefined` for what this relay did not sign, signed for something else, or too long ago. */
  open(
    seal: string,
    expected: Pick<SealedTarget, 'kind' | 'registry'>,
  ): Promise<SealedTarget | undefined>
}

export function createSealer(secret: Uint8Array | undefined): Sealer {
  const signer = createTokenSigner(secret)
  return {
    seal({ kind, registry, repository, url }) {
      const life = kind === 'token' ? REALM_LIFETIME : UPLOAD_LIFETIME
      const exp = Math.floor(Date.now() / 1000) + life
      return signer.sign({ aud: `relay ${kind}`, registry, repository, url, exp })
    },
    async open(seal, { kind, registry }) {
      const claims = await signer.verify(seal)
      if (claims === undefined || claims['aud'] !== `relay ${kind}`) return undefined
      const { url, repository } = claims
      if (claims['registry'] !== registry) return undefined
      if (typeof url !== 'string' || typeof repository !== 'string') return undefined
      return { kind, registry, repository, url }
    },
  }
}
