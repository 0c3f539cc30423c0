// Signatures may live at another registry: what opens the one must not be shown to the other.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createRepository } from '../../src/registry/repository.ts'
import type { Policy } from '../../src/trust/policy/policy.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner, type Signer } from '../../src/trust/keys/signer.ts'
import type { FetchLike } from '../../src/types.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pull } from '../../src/verbs/pull.ts'
import { sign } from '../../src/verbs/sign.ts'
import { createVerifier, verify } from '../../src/verbs/verify.ts'
import { createArtifact } from '../portable/trust-fixture.ts'

const REF = 'registry.test/app:1'
const signatures = 'elsewhere.test/signatures'
const credentials = { username: 'user', password: 'hunter22' }

let signer: Signer
let policy: Policy
/** Hosts that were shown credentials. */
let shown: Set<string>
let fetch: FetchLike

beforeAll(async () => {
  const pair = await generateKeyPair()
  signer = await createKeySigner(pair)
  policy = { key: await formatPublicKey(pair.publicKey), requireTransparencyLog: false }
})
beforeEach(async () => {
  const registry = createRegistryHandler()
  shown = new Set()
  // The one lets everybody in, and so never asks; the other asks everybody.
  fetch = async (request) => {
    const { hostname } = new URL(request.url)
    if (request.headers.has('authorization')) shown.add(hostname)
    if (hostname === 'registry.test') return registry.fetch(request)
    return new Response(null, { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } })
  }
  const repository = createRepository('registry.test/app', { fetch })
  await repository.tag(await createArtifact(repository), '1')
})

describe('credentials of the registry with the artifact', () => {
  const refused = { code: 'ERR_UNAUTHORIZED' }

  it('are not shown to the one with its signatures by verify and sign', async () => {
    const remote = { fetch, credentials, signatures }
    await expect(verify(REF, policy, remote)).rejects.toMatchObject(refused)
    await expect(sign(REF, signer, remote)).rejects.toMatchObject(refused)
    expect([...shown]).toEqual([])
  })

  it('are not shown to the one with its signatures by pull and copy', async () => {
    const how = { signatures, fetch }
    const remote = { fetch, credentials, verify: createVerifier(policy, how) }
    await expect(pull(REF, remote)).rejects.toMatchObject(refused)
    await expect(
      copy(REF, 'registry.test/copy:1', {
        fetch,
        credentials: ({ registry }) => (registry === 'registry.test' ? credentials : undefined),
        verify: createVerifier(policy, how),
      }),
    ).rejects.toMatchObject(refused)
    expect([...shown]).toEqual([])
  })

  it('and those that a policy has of its own go where the signatures are', async () => {
    const verifier = createVerifier(policy, { signatures, fetch, credentials })
    await expect(pull(REF, { fetch, verify: verifier })).rejects.toMatchObject(refused)
    expect([...shown]).toEqual(['elsewhere.test'])
  })
})
