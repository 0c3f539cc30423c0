// An application of the size that people really have: JavaScript with its engine, 12 MB of it.
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { describe, expect } from 'vitest'
import { hasJspi } from '../../src/run/component/abi/jspi.ts'
import { createAppHandler, type LogLine } from '../../src/run/index.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { pull } from '../../src/verbs/pull.ts'
import { push } from '../../src/verbs/push.ts'
import { itHasJavascript } from './javascript-guest.ts'
import { expectNoWaiting } from './waiting.ts'

const MANIFEST = `spin_manifest_version = 2
[application]
name = "javascript"
[variables]
who = { default = "you" }
[[trigger.http]]
route = "/..."
component = "guest"
[component.guest]
source = "guest.wasm"
allowed_outbound_hosts = ["http://up.example"]
variables = { name = "Mr {{ who }}" }
`
const REF = 'registry.test/team/javascript:1'
const log: LogLine[] = []

let pulled: ReturnType<typeof start> | undefined

/** Through a registry and back, once for all cases. */
async function start(wasm: Uint8Array) {
  const { fetch } = createRegistryHandler()
  await push(await loadApp({ 'spin.toml': MANIFEST, 'guest.wasm': wasm }), REF, { fetch })
  return createAppHandler(await pull(REF, { fetch }), {
    onLog: (line) => log.push(line),
    fetch: async () => new Response('up', { status: 203 }),
  })
}

async function ask(wasm: Uint8Array, path: string, init?: RequestInit): Promise<Response> {
  const { fetch } = await (pulled ??= start(wasm))
  return fetch(new Request(`http://app.example${path}`, init))
}

describe('a component of 12 MB, built from JavaScript and pulled from a registry', () => {
  itHasJavascript('answers JSON about a request', async (wasm) => {
    expect(wasm.length).toBeGreaterThan(10_000_000)
    const response = await ask(wasm, '/json?a=1&b=%C3%BC')
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({ method: 'GET', query: { a: '1', b: 'ü' } })
  })

  itHasJavascript('gets a body and gives it back', async (wasm) => {
    const body = Uint8Array.from({ length: 200_000 }, (_, i) => i)
    const response = await ask(wasm, '/echo', { method: 'POST', body, headers: { 'x-ask': 'a b' } })
    expect([response.status, response.headers.get('x-asked')]).toEqual([201, 'a b'])
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(body)
    const hash = await ask(wasm, '/hash', { method: 'POST', body })
    expect(await hash.text()).toBe(bytesToHex(sha256(body)))
  })

  itHasJavascript('starts each request from the snapshot that it was built with', async (wasm) => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => (await ask(wasm, '/snapshot')).text()),
    )
    expect(answers).toEqual(Array(8).fill('998001'))
  })

  itHasJavascript('reads its variables, and no others', async (wasm) => {
    expect(await (await ask(wasm, '/variable?name=name')).text()).toBe('Mr you')
    const refused = await ask(wasm, '/variable?name=other')
    expect([refused.status, await refused.json()]).toMatchObject([502, { tag: 'undefined' }])
  })

  itHasJavascript('streams what it has', async (wasm) => {
    expect(await (await ask(wasm, '/stream')).text()).toBe('one two three')
  })

  itHasJavascript('waits for a timer and for a host, where the engine can', async (wasm) => {
    const app = { get: (path: string) => ask(wasm, path), log }
    if (!hasJspi()) {
      await expectNoWaiting(app, '/wait')
      return expectNoWaiting(app, '/out?url=http://up.example/')
    }
    expect(await (await app.get('/wait')).text()).toBe('waited')
    expect(await (await app.get('/out?url=http://up.example/')).text()).toBe('status 203')
    expect((await app.get('/out?url=http://other.example/')).status).toBe(502)
  })
})
