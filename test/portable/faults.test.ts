import { describe, expect, it } from 'vitest'
import { createFlakyPersona, type Fault } from '../../mocks/personas/flaky.ts'
import { createTokenAuthPersona } from '../../mocks/personas/token-auth.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { SpindleError } from '../../src/errors.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import type { App } from '../../src/spin/source/app.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { readGraph } from '../../src/store/graph.ts'
import { readLayoutTar } from '../../src/store/layout-tar.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { FetchHandler, FetchLike, Store } from '../../src/types.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pull } from '../../src/verbs/pull.ts'
import { push } from '../../src/verbs/push.ts'

const REF = 'registry.test/team/hello:1'
const FAULTS: readonly Fault[] = ['cut', 'lost', 'truncate', 'corrupt', 429, 500, 503]
/** More requests than any of these transfers make. */
const MANY = 60

const load = (text = 'one'): Promise<App> =>
  loadApp({
    'spin.toml': `spin_manifest_version = 2
[application]
name = "hello"
[[trigger.http]]
route = "/..."
component = "web"
[component.web]
source = "web.wasm"
files = [{ source = "static", destination = "/" }]
`,
    'web.wasm': Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0),
    'static/a.txt': `a ${text} `.repeat(100),
    'static/b.txt': `b ${text} `.repeat(100),
  })

/** The registry behind a connection that fails at the nth request, and at no other. */
function failingAt(
  stage: number,
  fault: Fault,
  registry: FetchHandler,
): { fetch: FetchLike; met: () => boolean } {
  const flaky = createFlakyPersona(registry, (_, count) => (count === stage ? fault : undefined))
  return { fetch: flaky.fetch, met: () => flaky.requests.length > stage }
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    // Anything else is a defect and ends the test.
    if (!(error instanceof SpindleError)) throw error
    return error.code
  }
}

describe.each(FAULTS)('a push that meets "%s" at any one request', (fault) => {
  it('ends in success or a coded error, names nothing that is not whole, and is ended by the next', async () => {
    const before = await load('old')
    const app = await load()
    let failures = 0
    for (let stage = 0; ; stage++) {
      expect(stage).toBeLessThan(MANY)
      const registry = createRegistryHandler()
      const old = await push(before, REF, { fetch: registry.fetch })
      const { fetch, met } = failingAt(stage, fault, registry)
      const code = await codeOf(push(app, REF, { fetch, retry: false, concurrency: 1 }))
      if (!met()) {
        expect(code).toBeUndefined()
        break
      }
      if (code !== undefined) failures++
      // Whatever the tag names is there: all of the old, or all of the new.
      const whole = createMemoryStore()
      const { digest } = await copy(REF, { store: whole, ref: '1' }, { fetch: registry.fetch })
      const result = await push(app, REF, { fetch: registry.fetch })
      expect([old.descriptor.digest, result.descriptor.digest]).toContain(digest)
      const files = await (await pull(REF, { fetch: registry.fetch })).files('web')
      expect(files.get('a.txt')).toEqual(new TextEncoder().encode('a one '.repeat(100)))
    }
    if (typeof fault === 'number' || fault === 'cut') expect(failures).toBeGreaterThan(5)
  })
})

describe.each(FAULTS)('a copy out of a registry that meets "%s" at any one request', (fault) => {
  it.each<[string, () => Promise<Store> | Store]>([
    ['memory', createMemoryStore],
    ['a layout', () => readLayoutTar()],
  ])('leaves nothing half in %s, and is ended by the next', async (_, open) => {
    const registry = createRegistryHandler()
    const { descriptor: root } = await push(await load(), REF, { fetch: registry.fetch })
    for (let stage = 0; ; stage++) {
      expect(stage).toBeLessThan(MANY)
      const store = await open()
      const { fetch, met } = failingAt(stage, fault, registry)
      const to = { store, ref: '1' }
      const code = await codeOf(copy(REF, to, { fetch, retry: false, concurrency: 1 }))
      if (!met()) {
        expect(code).toBeUndefined()
        break
      }
      if (code !== undefined) expect(await codeOf(store.resolve('1'))).toBe('ERR_NOT_FOUND')
      const source = createMemoryStore()
      await copy(REF, { store: source, ref: '1' }, { fetch: registry.fetch })
      for (const part of (await readGraph(source, root)).blobs) {
        // What it has, it has whole.
        if (await store.has(part)) await readVerified(await store.fetch(part), part)
      }
      await copy(REF, to, { fetch: registry.fetch })
      expect((await store.resolve('1')).digest).toBe(root.digest)
    }
  })
})

describe('a transfer goes on', () => {
  it('when its token is refused midway, at any one request', async () => {
    const login = { username: 'user', password: 'pass' }
    for (let stage = 1; ; stage++) {
      expect(stage).toBeLessThan(MANY)
      const persona = createTokenAuthPersona(createRegistryHandler(), login)
      let count = 0
      const fetch: FetchLike = (request) => {
        if (count++ === stage) persona.revoke()
        return persona.fetch(request)
      }
      const { descriptor } = await push(await load(), REF, { fetch, credentials: login })
      if (count <= stage) break
      expect(await (await pull(REF, { fetch: persona.fetch })).component('web')).toHaveLength(8)
      expect(descriptor.size).toBeGreaterThan(0)
    }
  })

  it('after a storm of 429s', async () => {
    const registry = createRegistryHandler()
    const storm = createFlakyPersona(registry, (_, count) => (count < 3 ? 429 : undefined))
    const retry = { delay: () => 1, limit: 8 }
    await push(await load(), REF, { fetch: storm.fetch, retry })
    const files = await (await pull(REF, { fetch: storm.fetch, retry })).files('web')
    expect(files.size).toBe(2)
  })
})
