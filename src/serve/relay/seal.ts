import { createTokenSigner } from '../http/signed-token.ts'

/** Lifetime of an upload URL in seconds: longer than a large blob takes on a slow connection. */
const UPLOAD_LIFETIME: number = 60 * 60
/** Lifetime of the URL of a token service in seconds: clients keep it as long as they run. */
const REALM_LIFETIME: number = 7 * 24 * 60 * 60

/** A URL returned by a registry, valid for one purpose and one registry. */
interface SealedTarget {
  readonly kind: 'token' | 'sealed'
  /** Host and port as in the relay's paths. */
  readonly registry: string
  /** Repository of the upload; empty for a token service. */
  readonly repository: string
  readonly url: string
}

/** Signs URLs, so that clients can send back those returned by registries, and no others. */
export interface Sealer {
  seal(target: SealedTarget): Promise<string>
  /** `undefined` for an invalid or expired seal, or one for another purpose or registry. */
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
