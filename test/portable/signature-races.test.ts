// Several sign one artifact at once. Registries have no compare-and-swap for the tag of the older form.
import { beforeEach, describe, expect, it } from 'vitest'
import { createRepository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { parseManifest } from '../../src/oci/manifest.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import type { Descriptor, FetchHandler, FetchLike } from '../../src/types.ts'
import { sign, type SignOptions } from '../../src/verbs/sign.ts'
import { verify } from '../../src/verbs/verify.ts'
import { createArtifact } from './trust-fixture.ts'

const REPOSITORY = 'registry.test/team/hello'

let registry: FetchHandler
let artifact: Descriptor
let ref: string
let tag: string
beforeEach(async () => {
  registry = createRegistryHandler()
  artifact = await createArtifact(createRepository(REPOSITORY, registry))
  ref = `${REPOSITORY}@${artifact.digest}`
  tag = `${artifact.digest.replace(':', '-')}.sig`
})

async function createSigner() {
  const pair = await generateKeyPair()
  const key = await formatPublicKey(pair.publicKey)
  const signer = await createKeySigner(pair)
  return {
    sign: (fetch: FetchLike, attach: SignOptions['attach'], own?: SignOptions) =>
      sign(ref, signer, { fetch, attach: attach!, ...own }),
    isFound: (formats: ['bundle'] | ['legacy']) =>
      verify(ref, { key, requireTransparencyLog: false, formats }, registry).then(
        () => true,
        () => false,
      ),
  }
}
const pause = (milliseconds: number) =>
  new Promise<void>((resolve) => void setTimeout(resolve, milliseconds))
/** The registry as seen over a network that takes about that long each way. */
const behind =
  (milliseconds: number): FetchLike =>
  async (request) => {
    await pause(milliseconds * (0.5 + Math.random()))
    const response = await registry.fetch(request)
    await pause(milliseconds * (0.5 + Math.random()))
    return response
  }
const writesTag = ({ method, url }: Request): boolean => method === 'PUT' && url.endsWith(tag)

describe('signatures in the older form', () => {
  it('are all kept, though each writer has a client and a pace of its own', async () => {
    const signers = await Promise.all([1, 2, 4, 6].map(() => createSigner()))
    await Promise.all(signers.map(({ sign }, i) => sign(behind(1 + 2 * i), 'tag')))
    const found = await Promise.all(signers.map(({ isFound }) => isFound(['legacy'])))
    expect(found).toEqual([true, true, true, true])
  })

  it('are added once, though the registry shows them late', async () => {
    const { sign, isFound } = await createSigner()
    let hidden = 0
    const late: FetchLike = async (request) => {
      if (writesTag(request)) hidden = 1
      else if (request.url.endsWith(tag) && hidden-- > 0) return new Response('', { status: 404 })
      return registry.fetch(request)
    }
    await sign(late, 'tag')
    expect(await isFound(['legacy'])).toBe(true)
    const repository = createRepository(REPOSITORY, registry)
    const manifest = await repository.resolve(tag)
    const stream = await repository.fetch(manifest)
    const parsed = parseManifest(new Uint8Array(await new Response(stream).arrayBuffer()))
    expect(parsed).toMatchObject({ layers: [{}] })
  })

  it('that others undo again and again are an error, which says what was written', async () => {
    const { sign, isFound } = await createSigner()
    const losing: FetchLike = async (request) =>
      writesTag(request)
        ? new Response(null, { status: 201, headers: { location: '/x' } })
        : registry.fetch(request)
    const failure = (await sign(losing, 'both').catch((error: unknown) => error)) as Error
    expect(failure).toMatchObject({
      code: 'ERR_CONFLICT',
      message: expect.stringMatching(/attached as sha256:[0-9a-f]{64}.*sign again with/),
    })
    expect(await isFound(['bundle'])).toBe(true)
  })

  it('are undone by a writer that looked before and wrote after: bundles never are', async () => {
    const [quick, slow] = [await createSigner(), await createSigner()]
    let reached!: () => void
    let release!: () => void
    const isReached = new Promise<void>((resolve) => (reached = resolve))
    const isReleased = new Promise<void>((resolve) => (release = resolve))
    const held: FetchLike = async (request) => {
      if (writesTag(request)) {
        reached()
        await isReleased
      }
      return registry.fetch(request)
    }
    const slowly = slow.sign(held, 'both')
    await isReached
    await quick.sign(registry.fetch, 'both')
    release()
    await slowly
    expect([await quick.isFound(['legacy']), await slow.isFound(['legacy'])]).toEqual([false, true])
    expect([await quick.isFound(['bundle']), await slow.isFound(['bundle'])]).toEqual([true, true])
  })
})
