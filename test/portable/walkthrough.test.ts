import { describe, expect, it } from 'vitest'
import { createSigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { createBindleClient } from '../../src/bindle/client.ts'
import { createBindleId } from '../../src/bindle/id.ts'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { parseStandalone } from '../../src/bindle/standalone.ts'
import { parseBase64 } from '../../src/bytes/base64.ts'
import { createTransport } from '../../src/http/transport.ts'
import { createAppHandler } from '../../src/run/index.ts'
import { createBasicAuthorizer } from '../../src/serve/http/basic.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import type { PulledApp } from '../../src/spin/artifact/pulled-app.ts'
import { createKeylessSigner } from '../../src/trust/keyless/keyless.ts'
import { generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import { migrateBindle } from '../../src/verbs/migrate-bindle.ts'
import { prepareBindle } from '../../src/verbs/prepare-bindle.ts'
import { pull } from '../../src/verbs/pull.ts'
import { pullBindle } from '../../src/verbs/pull-bindle.ts'
import { push } from '../../src/verbs/push.ts'
import { pushBindle } from '../../src/verbs/push-bindle.ts'
import { sign } from '../../src/verbs/sign.ts'
import { createVerifier, verify } from '../../src/verbs/verify.ts'
import { HELLO } from '../guests/hello-base64.ts'
import { canCompile } from './can-compile.ts'

// docs/walkthrough.md, told through the API: each part of the story stands on the one before.

const manifest = (files: string): string => `spin_manifest_version = 2
[application]
name = "hello-world"
version = "1.0.0"
[variables]
greeting = { default = "Hello" }
[[trigger.http]]
route = "/hello/:name"
component = "hello"
[component.hello]
source = "hello.wasm"
files = [{ source = "${files}", destination = "static" }]
variables = { greeting = "{{ greeting }}" }
`
const wasm = parseBase64(HELLO) as Uint8Array<ArrayBuffer>
const hello = {
  'spin.toml': manifest('static'),
  'hello.wasm': wasm,
  'static/robots.txt': 'User-agent: *\n',
}
const site = Object.fromEntries(
  Array.from({ length: 600 }, (_, i) => [`pages/${i}.txt`, `page ${i} `.repeat(20)]),
)

/** An application that was fetched answers; where bytes can't be compiled, it says so by its code. */
async function expectToRun(app: PulledApp): Promise<void> {
  if (!canCompile)
    return expect(createAppHandler(app)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
  const { fetch } = await createAppHandler(app)
  const answer = await fetch(new Request('http://localhost/hello/alyssa'))
  return expect(await answer.text()).toContain('Hello, alyssa!')
}

function createPlace() {
  const authenticate = (name: string, password: string): string | undefined =>
    name === 'alyssa' && password === 'hunter2' ? name : undefined
  const { fetch } = createRegistryHandler({ authorize: createBasicAuthorizer({ authenticate }) })
  return {
    fetch,
    transport: createTransport({
      fetch,
      credentials: { username: 'alyssa', password: 'hunter2' },
    }),
    ref: 'registry.test/alyssa/hello-world:v1',
  }
}

describe('the distribution chapter, through the API', () => {
  it('logs in, publishes, and runs by tag and by digest', async () => {
    const { fetch, transport, ref } = createPlace()
    const app = await loadApp(hello)
    await expect(push(app, ref, { fetch })).rejects.toMatchObject({ code: 'ERR_UNAUTHORIZED' })
    const { reference, descriptor } = await push(app, ref, { transport })
    expect(reference).toBe(`registry.test/alyssa/hello-world@${descriptor.digest}`)
    expect((await push(app, ref, { transport })).descriptor).toEqual(descriptor)
    await expectToRun(await pull(ref, { transport }))
    await expectToRun(await pull(reference, { transport }))
  })

  it('signs with a key, verifies, and runs after it has verified', async () => {
    const { transport, ref } = createPlace()
    const { descriptor } = await push(await loadApp(hello), ref, { transport })
    const { privateKey, publicKey } = await generateKeyPair()
    const policy = { key: publicKey, requireTransparencyLog: false }
    const unsigned = pull(ref, { transport, verify: createVerifier(policy) })
    await expect(unsigned).rejects.toMatchObject({ code: 'ERR_POLICY_REJECTED' })
    await sign(ref, await createKeySigner(privateKey), { transport, attach: 'both' })
    expect((await verify(ref, policy, { transport })).descriptor).toEqual(descriptor)
    await expectToRun(await pull(ref, { transport, verify: createVerifier(policy) }))
  })

  it('signs without a key, verifies who it was, and runs after it has verified', async () => {
    const { transport, ref } = createPlace()
    await push(await loadApp(hello), ref, { transport })
    const sigstore = await createSigstoreInstance()
    const signer = createKeylessSigner({
      fetch: sigstore.fetch,
      services: sigstore.services,
      trustedRoot: sigstore.trustedRoot(),
      identityToken: () => sigstore.issueToken(),
    })
    await sign(ref, signer, { transport })
    const trustedRoot = sigstore.trustedRoot()
    const { signatures } = await verify(
      ref,
      { identity: /.*/, issuer: /.*/, trustedRoot },
      { transport },
    )
    const { identity = '', issuer = '' } = signatures[0]
    const policy = { identity, issuer, trustedRoot }
    await expectToRun(await pull(ref, { transport, verify: createVerifier(policy) }))
    const other = verify(ref, { ...policy, identity: `${identity}.evil` }, { transport })
    await expect(other).rejects.toMatchObject({ code: 'ERR_POLICY_REJECTED' })
  })

  it('pushes a bindle, runs it, prepares it, and leaves for a registry', async () => {
    const { fetch } = createBindleHandler()
    const client = createBindleClient('http://127.0.0.1:8000/v1', { fetch })
    const app = await loadApp(hello)
    const { bindle } = await pushBindle(app, client)
    const id = createBindleId(bindle.name, bindle.version)
    expect(String(id)).toBe('hello-world/1.0.0')
    await expectToRun(await pullBindle({ client, id }))

    const prepared = await parseStandalone(await prepareBindle(app))
    const elsewhere = createBindleClient('http://127.0.0.1:8001/v1', createBindleHandler())
    await pushStandalone(elsewhere, prepared)
    await expectToRun(await pullBindle({ client: elsewhere, id }))

    const { transport } = createPlace()
    const { reference } = await migrateBindle({ client, id }, 'registry.test/alyssa/hello-world', {
      transport,
    })
    await expectToRun(await pull(reference, { transport }))
  })

  it('carries a site of many files, by registry and by Bindle server, as one archive', async () => {
    const { transport, ref } = createPlace()
    const app = await loadApp({ 'spin.toml': manifest('pages'), 'hello.wasm': wasm, ...site })
    let blobs = 0
    await push(app, ref, {
      transport,
      onProgress: (event) => {
        if (event.type === 'plan') blobs = event.blobs
      },
    })
    expect(blobs).toBe(4)
    expect((await (await pull(ref, { transport })).files('hello')).size).toBe(600)
    const client = createBindleClient('http://127.0.0.1:8000/v1', createBindleHandler())
    const { bindle } = await pushBindle(app, client)
    const pulled = await pullBindle({ client, id: `${bindle.name}/${bindle.version}` })
    expect((await pulled.files('hello')).size).toBe(600)
  })
})
