import { play } from 'virtual:recipes/playground.ts'
import { migrate } from 'virtual:recipes/migrate.ts'
import { createProxy } from 'virtual:recipes/proxy.ts'
import { upload } from 'virtual:recipes/uploader.ts'
import { describe, expect, it, vi } from 'vitest'
import { parseBase64 } from '../../src/bytes/base64.ts'
import { createBindleClient } from '../../src/bindle/client.ts'
import { createRelayFetch } from '../../src/http/relay-fetch.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { lockApp } from '../../src/spin/source/lock-app.ts'
import { packApp } from '../../src/spin/artifact/pack.ts'
import { generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import { pushBindle } from '../../src/verbs/push-bindle.ts'
import { resolve } from '../../src/verbs/resolve.ts'
import { sign } from '../../src/verbs/sign.ts'
import { HELLO } from '../guests/hello-base64.ts'
import { canCompile } from './can-compile.ts'

const files = {
  'spin.toml': `spin_manifest_version = 2
[application]
name = "hello"
version = "1.0.0"
[variables]
greeting = { default = "Hello" }
[[trigger.http]]
route = "/hello/:name"
component = "hello"
[component.hello]
source = "hello.wasm"
variables = { greeting = "{{ greeting }}" }
`,
  'hello.wasm': parseBase64(HELLO) as Uint8Array<ArrayBuffer>,
}
const reference = 'registry.test/team/hello:1'
const ask = async (app: { fetch(request: Request): Promise<Response> }) => {
  const response = await app.fetch(new Request('http://app.test/hello/you'))
  return [response.status, await response.text()] as const
}

describe('the recipe for', () => {
  it('a site that uploads: sends it through a relay, says how far it is, gives name and digest', async () => {
    const registry = createRegistryHandler()
    const relay = createRelayHandler({
      registries: ['registry.test'],
      origins: [],
      writable: ({ repository }) => repository.startsWith('team/'),
      fetch: registry.fetch,
    })
    const lines: string[] = []
    const fetch = createRelayFetch('https://relay.test/relay', { fetch: relay.fetch })
    const said = await upload(files, reference, { fetch, say: (line) => void lines.push(line) })
    const { digest } = await resolve(reference, { fetch: registry.fetch })
    expect(said).toBe(`registry.test/team/hello@${digest}`)
    expect(lines[0]).toMatch(/^\d+ blobs, \d+ bytes$/)
    expect(lines.filter((line) => line.endsWith(' done')).length).toBeGreaterThan(1)
  })

  it('a Worker: runs what is signed, and nothing else', async () => {
    const registry = createRegistryHandler()
    const remote = { fetch: registry.fetch }
    await upload(files, reference, { ...remote, say: () => {} })
    const { privateKey, publicKey } = await generateKeyPair()
    const policy = { key: publicKey, requireTransparencyLog: false }
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    try {
      const proxy = createProxy({ reference, policy, remote })
      expect((await ask(proxy))[0]).toBe(502)
      expect(log.mock.lastCall?.[0]).toMatchObject({ code: 'ERR_POLICY_REJECTED' })
      await sign(reference, await createKeySigner(privateKey), remote)
      const answer = await ask(proxy)
      if (canCompile) expect(answer).toEqual([200, expect.stringContaining('Hello, you!')])
      else {
        expect(answer[0]).toBe(502)
        expect(log.mock.lastCall?.[0]).toMatchObject({ code: 'ERR_UNSUPPORTED' })
      }
    } finally {
      log.mockRestore()
    }
  })

  it('a playground: runs an application that was in no registry but its own', async () => {
    const played = play(files, () => {})
    if (!canCompile) return expect(played).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    const { digest, fetch } = await played
    expect(digest).toBe((await packApp(await lockApp(await loadApp(files)))).descriptor.digest)
    return expect(await ask({ fetch })).toEqual([200, expect.stringContaining('Hello, you!')])
  })

  it('who leaves a Bindle server: moves every version, and gives what each is called now', async () => {
    const server = createBindleHandler()
    const client = createBindleClient('https://bindle.test/v1', { fetch: server.fetch })
    for (const version of ['1.0.0', '1.1.0+q1'])
      await pushBindle(
        await loadApp({
          ...files,
          'spin.toml': files['spin.toml'].replace('1.0.0', version),
        }),
        client,
      )
    const { fetch } = createRegistryHandler()
    const moved = await migrate(client, 'hello', 'registry.test/team/hello', { fetch })
    expect([...moved.keys()]).toEqual(['hello/1.0.0', 'hello/1.1.0+q1'])
    const { digest } = await resolve('registry.test/team/hello:1.1.0_q1', { fetch })
    expect(moved.get('hello/1.1.0+q1')).toBe(`registry.test/team/hello@${digest}`)
  })
})
