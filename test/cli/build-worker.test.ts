import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Miniflare } from 'miniflare'
import { afterEach, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { deployWorker } from '../fixtures/deploy-worker.ts'
import { createSession } from './session.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const hello = join(root, 'examples/hello')
const REF = 'localhost:5000/team/hello:1'

let worker: Miniflare | undefined
afterEach(async () => {
  await worker?.dispose()
  worker = undefined
})

function deploy(folder: string, bindings: Readonly<Record<string, string>> = {}): void {
  worker = deployWorker(folder, bindings)
}

const textOf = async (path: string): Promise<string> =>
  (await (worker as Miniflare).dispatchFetch(`http://app.example${path}`)).text()

it('writes what a registry has as a Worker that runs without flags', async () => {
  const { fetch } = createRegistryHandler({ storage: createMemoryStorage() })
  const session = createSession(fetch)
  await session.run('registry', 'push', '-f', hello, REF)
  const { code, stdout, stderr } = await session.run('build-worker', REF, '-o', 'out')
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^\d+ files \(.*\) written to .*out\n$/)
  const folder = session.path('out')
  const readme = readFileSync(join(folder, 'README.md'), 'utf8')
  expect(readme).toMatch(/`sha256:[0-9a-f]{64}`/)
  expect(readme).toContain('with `npx wrangler dev`.')
  deploy(folder, { SPIN_VARIABLE_GREETING: 'Moin' })
  expect(await textOf('/hello/you')).toContain('Moin, you!')
  expect(await textOf('/static/icon.svg')).toBe(
    readFileSync(join(hello, 'static/icon.svg'), 'utf8'),
  )
  expect(JSON.parse(await textOf('/api'))).toMatchObject({ greeting: 'Moin', path: '/api' })
  expect(JSON.parse(await textOf('/.well-known/spin/info'))).toMatchObject({ name: 'hello' })
})

it('keeps values in the KV namespace that the folder asks for', async () => {
  const session = createSession()
  session.write(
    'app/spin.toml',
    `spin_manifest_version = 2
[application]
name = "Counts & more"
[variables]
token = { required = true, secret = true }
[[trigger.http]]
route = "/..."
component = "guest"
[component.guest]
source = "proxy.wasm"
key_value_stores = ["default"]
variables = { token = "{{ token }}" }
`,
  )
  session.write('app/proxy.wasm', readFileSync(join(root, 'test/guests/proxy.wasm')))
  const { code, stderr } = await session.run('build-worker', session.path('app'))
  expect([code, stderr]).toEqual([0, 'The Worker needs SPIN_VARIABLE_TOKEN.\n'])
  const folder = session.path('worker')
  expect(JSON.parse(readFileSync(join(folder, 'wrangler.jsonc'), 'utf8'))).toMatchObject({
    name: 'counts-more',
    kv_namespaces: [{ binding: 'KEY_VALUE_DEFAULT' }],
  })
  deploy(folder, { SPIN_VARIABLE_TOKEN: 'hunter2' })
  expect(await textOf('/kv/default')).toBe('count 1\n')
  expect(await textOf('/kv/default')).toBe('count 2\n')
  expect(await textOf('/var/token')).toBe('hunter2')
  const values = await (worker as Miniflare).getKVNamespace('KEY_VALUE_DEFAULT')
  expect((await values.list()).keys.map(({ name }) => name)).toEqual(['count'])
})

it('writes over nothing', async () => {
  const session = createSession()
  session.write('worker/mine.txt', 'mine')
  const { code, stderr } = await session.run('build-worker', hello)
  expect([code, stderr]).toEqual([1, expect.stringContaining('is not empty')])
})
