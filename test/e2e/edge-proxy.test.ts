import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Miniflare } from 'miniflare'
import { afterEach, describe, expect, it } from 'vitest'
import { buildBoundEdgeProxy, buildEdgeProxy } from '../../examples/edge-proxy/build.mjs'
import { createLocalWorker, LOADER } from '../../examples/edge-proxy/miniflare.mjs'
import { createKeySigner, generateKeyPair, loadApp, push, sign } from '../../src/index.ts'
import { listen } from '../../src/node/listen/listen.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { formatPublicKey } from '../../src/verbs/sign.ts'
import { createSession } from '../cli/session.ts'
import { bytesOfFile } from '../run/fixtures.ts'
import { missingRegistry, startRegistry } from './docker-registry-process.ts'

interface Registry {
  readonly host: string
  stop(): Promise<void>
}

async function startEmbedded(): Promise<Registry> {
  const { url, close } = await listen(createRegistryHandler())
  return { host: new URL(url).host, stop: close }
}

/** An application whose component greets in its own way, beside a redirect and a static response. */
function filesOf(greeting: string, guest = 'proxy'): Record<string, Uint8Array | string> {
  return {
    'hello.wasm': bytesOfFile('examples/hello/hello.wasm'),
    'guest.wasm': bytesOfFile(`test/guests/${guest}.wasm`),
    'spin.toml': `
spin_manifest_version = 2
[application]
name = "hello"
version = "1.0.0"
[[trigger.http]]
route = "/hello/:name"
component = "hello"
[[trigger.http]]
route = "/kv/..."
component = "guest"
[[trigger.http]]
route = "/old"
static_response = { status_code = 302, headers = { location = "/new" } }
[[trigger.http]]
route = "/about"
static_response = { body = "about ${greeting}" }
[component.hello]
source = "hello.wasm"
[component.hello.variables]
greeting = "${greeting}"
[component.guest]
source = "guest.wasm"
key_value_stores = ["default"]
`,
  }
}

if (missingRegistry !== undefined) console.log(`left out: ${missingRegistry}`)

/** How the Worker comes by what the platform compiled. */
const loaded = { name: 'loads components', build: buildEdgeProxy, options: LOADER }
const bound = { name: 'has components bound', build: buildBound, options: {} }

async function buildBound() {
  const session = createSession()
  for (const [name, content] of Object.entries(filesOf('Hello')))
    session.write(`source/${name}`, content)
  const { stderr } = await session.run('build-worker', session.path('source'), '-o', 'app')
  expect(stderr).toBe('')
  return buildBoundEdgeProxy(session.path('app'))
}

describe.each([
  { registry: 'the embedded registry', start: startEmbedded, missing: undefined, way: loaded },
  { registry: 'the embedded registry', start: startEmbedded, missing: undefined, way: bound },
  { registry: 'docker-registry', start: startRegistry, missing: missingRegistry, way: loaded },
])('the edge proxy before $registry that $way.name', ({ start, missing, way }) => {
  describe.skipIf(missing !== undefined)('in workerd', () => {
    let built: Promise<object[]> | undefined
    const ends: (() => Promise<unknown>)[] = []
    afterEach(async () => {
      for (const end of ends.splice(0).toReversed()) await end()
    })

    /** For a bucket that outlives an instance. */
    const makeFolder = async (): Promise<string> => {
      const folder = await mkdtemp(join(tmpdir(), 'spindle-edge-'))
      ends.push(() => rm(folder, { recursive: true, force: true }))
      return folder
    }

    /** A registry with a signed application, and how to change either. */
    const setUp = async () => {
      const modules = await (built ??= way.build())
      const registry = await start()
      let running = true
      const stop = async (): Promise<void> => {
        if (running) await registry.stop()
        running = false
      }
      ends.push(stop)
      const reference = `${registry.host}/team/hello:1`
      const { privateKey, publicKey } = await generateKeyPair()
      const release = async (
        greeting: string,
        { key = privateKey, guest = 'proxy' } = {},
      ): Promise<string> => {
        const { descriptor } = await push(await loadApp(filesOf(greeting, guest)), reference)
        const at = `${registry.host}/team/hello@${descriptor.digest}`
        await sign(at, await createKeySigner(key))
        return at
      }
      const policy = JSON.stringify({
        key: await formatPublicKey(publicKey),
        requireTransparencyLog: false,
      })
      const open = (settings: Record<string, string> = {}, more: object = {}) => {
        const bindings = { REFERENCE: reference, POLICY: policy, METRICS_TOKEN: 't', ...settings }
        const lines: string[] = []
        const worker: Miniflare = createLocalWorker(modules, bindings, {
          handleRuntimeStdio: (stdout: Readable) =>
            void createInterface(stdout).on('line', (line) => lines.push(line)),
          ...way.options,
          ...more,
        })
        let open = true
        const close = async (): Promise<void> => {
          if (open) await worker.dispose()
          open = false
        }
        ends.push(close)
        const get = async (path: string, headers = {}): Promise<[number, string]> => {
          const init = { headers, redirect: 'manual' as const }
          const response = await worker.dispatchFetch(`http://edge.example${path}`, init)
          return [response.status, await response.text()]
        }
        const metrics = async (): Promise<string> =>
          (await get('/_edge/metrics', { authorization: 'Bearer t' }))[1]
        return { get, metrics, close, worker, lines }
      }
      return { release, open, stop, privateKey, policy }
    }

    it('answers cold and hot: the registry is asked once for all that it has', async () => {
      const { release, open } = await setUp()
      const at = await release('Hello')
      const { get, metrics } = open()
      expect((await get('/hello/cold'))[1]).toContain('Hello, cold!')
      const asked = (await metrics()).match(/^edge_registry_requests_total.*$/gm)
      expect((await get('/hello/hot'))[1]).toContain('Hello, hot!')
      expect((await metrics()).match(/^edge_registry_requests_total.*$/gm)).toEqual(asked)
      expect(JSON.parse((await get('/_edge/health'))[1])).toMatchObject({
        status: 'OK',
        digest: at.split('@')[1],
      })
    })

    it('answers what is declared without WebAssembly, without waking any', async () => {
      const { release, open } = await setUp()
      await release('Hello')
      const { get, metrics } = open()
      expect(await get('/old')).toEqual([302, ''])
      expect(await get('/about')).toEqual([200, 'about Hello'])
      expect((await get('/nowhere'))[0]).toBe(404)
      const text = await metrics()
      expect(text).toContain('edge_requests_total{by="static",status="3xx"} 1')
      expect(text).not.toContain('by="app"')
    })

    it('follows a tag once its time is over, and answers with what it had until then', async () => {
      const { release, open } = await setUp()
      await release('Hello')
      const { get } = open({ TTL: '0' })
      expect((await get('/hello/you'))[1]).toContain('Hello, you!')
      await release('Good morning')
      // Looked up behind the request that found it stale.
      expect((await get('/hello/you'))[1]).toContain('Hello, you!')
      await expect
        .poll(() => get('/hello/you'), { timeout: 20_000 })
        .toEqual([200, expect.stringContaining('Good morning, you!')])
    })

    it('stays with a digest that is pinned, wherever the tag goes', async () => {
      const { release, open } = await setUp()
      const at = await release('Hello')
      await release('Good morning')
      const { get } = open({ REFERENCE: at, TTL: '0' })
      for (let i = 0; i < 3; i++) expect((await get('/hello/you'))[1]).toContain('Hello, you!')
    })

    it('goes on while the registry is down, in a new instance too, out of the bucket', async () => {
      const { release, open, stop } = await setUp()
      await release('Hello')
      const folder = await makeFolder()
      const kept = { r2Persist: folder }
      const first = open({ TTL: '0' }, kept)
      expect((await first.get('/hello/you'))[1]).toContain('Hello, you!')
      await stop()
      expect((await first.get('/hello/again'))[1]).toContain('Hello, again!')
      await expect.poll(() => first.metrics()).toContain('edge_lookups_total{result="failed"} 1')
      expect((await first.get('/_edge/health'))[0]).toBe(200)
      await first.close()
      const second = open({ TTL: '0' }, kept)
      expect((await second.get('/hello/new'))[1]).toContain('Hello, new!')
      expect(await second.metrics()).toMatch(/edge_content_lookups_total\{layer="bucket"\} [1-9]/)
    })

    it('is not available when it never saw the registry, or not for too long', async () => {
      const { release, open, stop } = await setUp()
      await release('Hello')
      const strict = open({ TTL: '0', STALE: '0' })
      expect((await strict.get('/hello/you'))[0]).toBe(200)
      await stop()
      expect((await strict.get('/hello/you'))[0]).toBe(503)
      const cold = open()
      const [status, text] = await cold.get('/hello/you')
      expect(status).toBe(503)
      expect(text).not.toMatch(/127\.0\.0\.1|hello/)
      expect((await cold.get('/_edge/health'))[0]).toBe(503)
    })

    it('never runs what others signed: not at first, and not when a tag moves to it', async () => {
      const { release, open } = await setUp()
      const stranger = (await generateKeyPair()).privateKey
      await release('Hello')
      const { get, metrics } = open({ TTL: '0' })
      expect((await get('/hello/you'))[1]).toContain('Hello, you!')
      await release('Evil', { key: stranger })
      await get('/hello/you')
      await expect.poll(metrics).toContain('edge_lookups_total{result="failed"} 1')
      expect((await get('/hello/you'))[1]).toContain('Hello, you!')
      expect((await open().get('/hello/you'))[0]).toBe(503)
    })

    it('remembers for one policy only', async () => {
      const { release, open, policy } = await setUp()
      await release('Hello', { key: (await generateKeyPair()).privateKey })
      const folder = await makeFolder()
      const lax = open({ POLICY: 'none' }, { r2Persist: folder })
      expect((await lax.get('/hello/you'))[0]).toBe(200)
      await lax.close()
      const strict = open({ POLICY: policy }, { r2Persist: folder })
      expect((await strict.get('/hello/you'))[0]).toBe(503)
    })

    it('heals a copy that was damaged in the bucket', async () => {
      const { release, open } = await setUp()
      await release('Hello')
      const folder = await makeFolder()
      const first = open({}, { r2Persist: folder })
      expect((await first.get('/hello/you'))[0]).toBe(200)
      const bucket = await first.worker.getR2Bucket('CONTENT')
      const { objects } = await bucket.list({ prefix: 'content/' })
      expect(objects.length).toBeGreaterThan(2)
      for (const { key, size } of objects) await bucket.put(key, new Uint8Array(size))
      await first.close()
      const second = open({}, { r2Persist: folder })
      expect((await second.get('/hello/you'))[1]).toContain('Hello, you!')
    })

    it('keeps values in the namespace that is bound, each store by its label', async () => {
      const { release, open } = await setUp()
      await release('Hello')
      const { get, worker } = open()
      expect(await get('/kv/default')).toEqual([200, 'count 1\n'])
      expect(await get('/kv/default')).toEqual([200, 'count 2\n'])
      const values = await worker.getKVNamespace('VALUES')
      expect((await values.list()).keys.map(({ name }) => name)).toEqual(['default/count'])
    })

    if (way === bound)
      it('says what to do about a release whose WebAssembly is not bound, and goes on with what was', async () => {
        const { release, open } = await setUp()
        await release('Hello')
        const { get, metrics, lines } = open({ TTL: '0' })
        expect((await get('/hello/you'))[1]).toContain('Hello, you!')
        await release('Good morning', { guest: 'async' })
        await get('/hello/you')
        await expect.poll(metrics).toContain('edge_lookups_total{result="failed"} 1')
        expect((await get('/hello/you'))[1]).toContain('Hello, you!')
        await expect
          .poll(() => lines.find((line) => line.includes('lookup-failed')))
          .toMatch(/sha256:\w{64} is not bound: run .*spindle build-worker.* deploy again/)
        // Another instance that remembers nothing has nothing that it could answer with.
        expect((await open().get('/hello/you'))[0]).toBe(503)
      })

    it('answers nothing before it is told who must have signed, and shows its counters to nobody', async () => {
      const { release, open } = await setUp()
      await release('Hello')
      for (const settings of [
        { POLICY: '' },
        { POLICY: '{}' },
        { POLICY: 'all' },
        { REFERENCE: '' },
        { TTL: 'x' },
      ])
        expect((await open(settings).get('/about'))[0], JSON.stringify(settings)).toBe(503)
      const { get } = open()
      expect((await get('/_edge/metrics'))[0]).toBe(404)
      expect((await get('/_edge/metrics', { authorization: 'Bearer T' }))[0]).toBe(404)
    })
  })
})
