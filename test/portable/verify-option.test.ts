import { describe, expect, test } from 'vitest'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pull } from '../../src/verbs/pull.ts'
import { push } from '../../src/verbs/push.ts'
import { sign } from '../../src/verbs/sign.ts'
import { createVerifier } from '../../src/verbs/verify.ts'

const app = await loadApp({
  'spin.toml': `spin_manifest_version = 2
[application]
name = "hello"
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = "hello.wasm"
`,
  'hello.wasm': Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
})
const pair = await generateKeyPair()
const policy = {
  key: await formatPublicKey(pair.publicKey),
  requireTransparencyLog: false,
} as const

describe('the option `verify`', () => {
  test.each([
    ['a policy', policy],
    ['a verifier', createVerifier(policy)],
  ])('takes %s', async (_name, verify) => {
    const at = { store: createMemoryStore(), ref: '1' }
    await push(app, at)
    const mirror = { store: createMemoryStore(), ref: '1' }
    await expect(pull(at, { verify })).rejects.toMatchObject({ code: 'ERR_POLICY_REJECTED' })
    await expect(copy(at, mirror, { verify })).rejects.toMatchObject({
      code: 'ERR_POLICY_REJECTED',
      side: 'source',
    })
    await expect(mirror.store.resolve('1')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })

    await sign(at, await createKeySigner(pair))
    expect((await pull(at, { verify })).signatures).toHaveLength(1)
    const { digest } = await copy(at, mirror, { verify })
    expect((await mirror.store.resolve('1')).digest).toBe(digest)
  })
})
