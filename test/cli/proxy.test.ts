import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { beforeAll, expect, it } from 'vitest'
import { listen } from '../../src/node/listen/listen.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { serve } from '../node/fetch-servers.ts'
import { startProxy } from '../node/proxy-servers.ts'
import { buildProgram, root } from './built-program.ts'
import { hello } from './hello.ts'

// The real program, with variables of its environment.
let folder: string
let program: string
beforeAll(async () => {
  const built = await buildProgram()
  folder = built.folder
  program = built.main
})

function start(env: Record<string, string>, ...args: string[]) {
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env['PATH'], HOME: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return { child, stderr: () => stderr }
}

const push = ['registry', 'push', '-k', '-f', hello, 'registry.corp.example/team/hello:1']

it('every request of a command goes through the proxy that the environment names', async () => {
  const { fetch } = createRegistryHandler({ storage: createMemoryStorage() })
  const allowedHosts = ['registry.corp.example']
  const registry = await listen({ fetch }, { host: '127.0.0.1', port: 0, allowedHosts })
  const proxy = await startProxy({ port: Number(new URL(registry.url).port), login: 'ann:s3cret' })
  const address = proxy.url.replace('//', '//ann:s3cret@')
  const { child, stderr } = start({ HTTP_PROXY: address }, ...push)
  expect(await once(child, 'close')).toEqual([0, null])
  expect(stderr()).not.toContain('s3cret')
  expect(proxy.seen).toContain('PUT http://registry.corp.example/v2/team/hello/manifests/1')
  await registry.close()
})

it('a proxy that refuses the login is said to, and no login of a registry is advised', async () => {
  const proxy = await startProxy({ port: 1, login: 'ann:s3cret' })
  const address = proxy.url.replace('//', '//ann:wr0ng@')
  const { child, stderr } = start({ http_proxy: address }, ...push)
  expect(await once(child, 'close')).toEqual([1, null])
  expect(stderr()).toContain(`the proxy ${proxy.url} (http_proxy) refuses the login (407)`)
  expect(stderr()).not.toMatch(/wr0ng|registry login/)
})

it('components reach the network through it only with --outbound-proxy', async () => {
  const app = join(folder, 'asking')
  mkdirSync(app)
  copyFileSync(join(root, 'test/guests/async.wasm'), join(app, 'app.wasm'))
  writeFileSync(
    join(app, 'spin.toml'),
    `spin_manifest_version = 2
[application]
name = "asking"
[[trigger.http]]
route = "/..."
component = "main"
[component.main]
source = "app.wasm"
allowed_outbound_hosts = ["http://up.invalid"]
`,
  )
  const { url } = await serve((_, response) => void response.end('from above'))
  const proxy = await startProxy({ port: Number(new URL(url).port) })
  for (const flags of [[], ['--outbound-proxy']]) {
    const args = ['up', '--quiet', '--listen', '127.0.0.1:0', '-f', app, ...flags]
    const { child } = start({ HTTP_PROXY: proxy.url }, ...args)
    const [text] = (await once(child.stdout, 'data')) as [Buffer]
    const served = /Serving (http:\S+)/.exec(text.toString())?.[1] ?? ''
    const said = await (await fetch(`${served}/outbound/up.invalid/x`)).text()
    expect(said).toMatch(flags.length === 0 ? /^error/ : /^200 from above/)
    expect(proxy.seen).toEqual(flags.length === 0 ? [] : ['GET http://up.invalid/x'])
    child.kill('SIGINT')
    await once(child, 'close')
  }
})
