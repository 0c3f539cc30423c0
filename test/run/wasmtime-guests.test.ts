// Guests that no shim of jco runs: components of WASI 0.3, and WAGI programs. Wasmtime answers for them
// what we do. Left out where neither WASMTIME nor the PATH has it.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listen, type Listener } from '../../src/node/listen/listen.ts'
import { hasJspi } from '../../src/run/component/abi/jspi.ts'
import { createAppHandler } from '../../src/run/index.ts'
import { ask, bodyOf, type Ask } from './asking.ts'
import { bytesOfFile, pulledApp } from './fixtures.ts'
import { findWasmtime } from './wasmtime-program.ts'

const wasmtime = findWasmtime()
const pathOf = (guest: string): string =>
  fileURLToPath(new URL(`../guests/${guest}.wasm`, import.meta.url))
const CONTENTS = 'contents'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spindle-wasmtime-'))
  mkdirSync(join(folder, 'a'))
  writeFileSync(join(folder, 'a/b.txt'), CONTENTS)
})
afterAll(() => rmSync(folder, { recursive: true }))

const FILES = new Map([['a/b.txt', new TextEncoder().encode(CONTENTS)]])
const LARGE = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251)

const ASKS: readonly Ask[] = [
  { path: '/hello' },
  { path: '/hello', method: 'HEAD' },
  { path: '/nowhere' },
  { path: '/slow' },
  { path: '/cancel' },
  { path: '/print' },
  { path: '/echo', method: 'POST', body: 'abc' },
  { path: '/echo', method: 'POST', body: '' },
  { path: '/echo', method: 'POST', body: LARGE },
]

const GUESTS = [
  ['that is called back', 'async-plain'],
  // Without JSPI it is refused by name, as wasi3.test.ts has it.
  ...(hasJspi() ? [['that stands still', 'stackful-plain'] as const] : []),
] as const

describe.each(GUESTS)('a component of WASI 0.3 %s', (_, guest) => {
  if (wasmtime === undefined)
    return it('answers as in Wasmtime', (context) =>
      context.skip('no wasmtime: see CONTRIBUTING.md'))
  let peer: ChildProcess
  let theirs: string
  let ours: Listener
  /** A port that asks are sent to from within: it answers 203. */
  let outside: Listener
  beforeAll(async () => {
    outside = await listen({ fetch: async () => new Response('from above', { status: 203 }) })
    const app = pulledApp(
      {
        guest: {
          wasm: bytesOfFile(`test/guests/${guest}.wasm`),
          fileTree: FILES,
          metadata: { allowed_outbound_hosts: [outside.url] },
        },
      },
      [{ route: '/...', component: 'guest' }],
    )
    ours = await listen(await createAppHandler(app))
    const features = ['', '-stackful'].map((name) => `component-model-async${name}=y`)
    peer = spawn(
      wasmtime,
      [
        'serve',
        ...['-S', 'p3,cli,inherit-network', '-W', features.join()],
        // Guests keep what they do in globals.
        ...['--max-instance-reuse-count', '1', '--addr', '127.0.0.1:0', '--dir', `${folder}::/`],
        pathOf(guest),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const lines = createInterface({ input: peer.stderr as NodeJS.ReadableStream })
    const [line] = (await once(lines, 'line')) as [string]
    theirs = /http:[^ ]*[0-9]/.exec(line)?.[0] ?? line
  })
  afterAll(async () => {
    peer.kill()
    await Promise.all([ours.close(), outside.close()])
  })

  it.each(ASKS.map((one) => [one.method ?? 'GET', one.path, one] as const))(
    'answers %s %s as in Wasmtime',
    async (_method, _path, one) => {
      expect(await ask(ours.url, one)).toEqual(await ask(theirs, one))
    },
  )

  it('asks others as in Wasmtime', async () => {
    const path = `/outbound/${outside.url.slice('http://'.length)}/x?y`
    const answer = await ask(ours.url, { path })
    expect([answer.status, answer.body]).toEqual([200, '203 from above'])
    expect(answer).toEqual(await ask(theirs, { path }))
  })

  it.each(['/trap', '/error', '/none', '/twice'])('fails for %s as in Wasmtime', async (path) => {
    expect([(await ask(ours.url, { path })).status, (await ask(theirs, { path })).status]).toEqual([
      500, 500,
    ])
  })

  it('reads files as in Wasmtime, but writes none', async () => {
    const [own, other] = await Promise.all([ours.url, theirs].map((url) => bodyOf(url, '/files')))
    // 32 is `read-only`: ours are, theirs have no way to say so.
    expect(own).toContain('write 32\n')
    expect(own?.replace('write 32', 'write 0')).toBe(other)
  })

  it.each(['/late-trap', '/unfinished'])(
    'breaks the body of %s off, where Wasmtime ends it',
    async (path) => {
      // Half an answer must not look whole.
      expect([await bodyOf(ours.url, path), await bodyOf(theirs, path)]).toEqual([
        'broken off',
        'before',
      ])
    },
  )

  it('breaks a body off that the guest says is broken, as Wasmtime does', async () => {
    expect([await bodyOf(ours.url, '/broken'), await bodyOf(theirs, '/broken')]).toEqual([
      'broken off',
      'broken off',
    ])
  })
})

describe.each([
  ['module', 'wagi'],
  ['component', 'command'],
])('a WAGI program as a %s', (_, guest) => {
  if (wasmtime === undefined)
    return it('prints what it does in Wasmtime', (context) =>
      context.skip('no wasmtime: see CONTRIBUTING.md'))

  it('prints what it does in Wasmtime with the same arguments, environment and body', async () => {
    const app = pulledApp(
      { guest: { wasm: bytesOfFile(`test/guests/${guest}.wasm`), env: { MINE: 'yes' } } },
      [{ route: '/...', component: 'guest', executor: { type: 'wagi' } }],
    )
    const handler = await createAppHandler(app)
    const body = 'BODY '.repeat(8000)
    const url = 'http://app.example/p%20q?a=1&b=%C3%BC'
    const response = await handler.fetch(new Request(url, { method: 'POST', body }))
    const own = await response.text()
    const environment = own.split('\n').filter((line) => /^[A-Z_]+=/.test(line))
    expect(environment).toContain('MINE=yes')
    const { stdout } = spawnSync(
      wasmtime,
      [
        'run',
        ...environment.flatMap((one) => ['--env', one]),
        ...['--argv0', '/p%20q', pathOf(guest), 'a=1', 'b=%C3%BC'],
      ],
      { input: body, encoding: 'utf8' },
    )
    const [head, ...rest] = stdout.split('\r\n\r\n')
    expect(head).toContain('Content-Type: text/plain')
    const printed = rest.join('\r\n\r\n')
    // Compared here, as a difference of long texts says nothing.
    expect(own.length).toBe(printed.length)
    expect(own === printed).toBe(true)
  })
})
