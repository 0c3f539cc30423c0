import { describe, expect, it } from 'vitest'
import { createAppHandler } from '../../src/run/index.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import { pull } from '../../src/verbs/pull.ts'
import { push } from '../../src/verbs/push.ts'
import { sign } from '../../src/verbs/sign.ts'
import { createVerifier } from '../../src/verbs/verify.ts'
import { bytesOfFile } from './fixtures.ts'

const hello = () => ({
  'spin.toml': `spin_manifest_version = 2
[application]
name = "hello"
[[trigger.http]]
route = "/..."
component = "a"
[component.a]
source = "a.wasm"
`,
  'a.wasm': bytesOfFile('test/guests/proxy.wasm'),
})
const REF = 'registry.test/team/hello:1'

describe('an application under a policy', () => {
  it('runs when it is signed, also where it was pulled through a cache', async () => {
    const { fetch } = createRegistryHandler()
    const pair = await generateKeyPair()
    const key = await formatPublicKey(pair.publicKey)
    const verify = createVerifier({ key, requireTransparencyLog: false })
    await push(await loadApp(hello()), REF, { fetch })
    const app = await pull(REF, { fetch, cache: createMemoryStore() })
    await expect(createAppHandler(app, { verify })).rejects.toMatchObject({
      code: 'ERR_POLICY_REJECTED',
      reason: 'NO_SIGNATURES',
    })
    await sign(REF, await createKeySigner(pair), { fetch })
    const handler = await createAppHandler(app, { verify })
    const { status } = await handler.fetch(new Request('http://localhost/.well-known/spin/health'))
    expect(status).toBe(200)
  })

  it('finds signatures in another repository', async () => {
    const { fetch } = createRegistryHandler()
    const pair = await generateKeyPair()
    const policy = { key: pair.publicKey, requireTransparencyLog: false }
    const signatures = 'registry.test/signatures:any'
    await push(await loadApp(hello()), REF, { fetch })
    await sign(REF, await createKeySigner(pair), { fetch, signatures })
    const app = await pull(REF, { fetch, verify: createVerifier(policy, { fetch, signatures }) })
    expect(app.signatures).toHaveLength(1)
    await expect(pull(REF, { fetch, verify: createVerifier(policy) })).rejects.toMatchObject({
      reason: 'NO_SIGNATURES',
    })
  })

  it('has to be from a registry', async () => {
    const verify = createVerifier({ key: 'x', requireTransparencyLog: false })
    await expect(createAppHandler(await loadApp(hello()), { verify })).rejects.toThrow(TypeError)
  })
})
