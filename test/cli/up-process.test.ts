import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { beforeAll, expect, it, vi } from 'vitest'
import { buildProgram, root } from './built-program.ts'
import { COUNTERS } from './counters.ts'

// The real program with its thread.
let folder: string
let program: string
beforeAll(async () => {
  const built = await buildProgram()
  folder = built.folder
  program = built.main
})

async function up(...args: string[]) {
  const child = spawn(process.execPath, [program, 'up', '--listen', '127.0.0.1:0', ...args], {
    env: { PATH: process.env['PATH'], HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = once(child, 'close')
  const listening = new Promise<string>((resolve) => {
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const found = /^Serving (http:\S+)\n/m.exec(text)
      if (found !== null) resolve(found[1] ?? '')
    })
  })
  const url = await Promise.race([
    listening,
    ended.then(() => {
      throw new Error(stderr)
    }),
  ])
  return {
    url,
    stderr: () => stderr,
    stop: () => {
      child.kill('SIGINT')
      return ended
    },
  }
}

it('loses none of 1000 requests with 16 in flight', async () => {
  const { url, stop, stderr } = await up('--from', join(root, 'examples/hello'), '--quiet')
  let left = 1000
  const counts = new Map<string, number>()
  const client = async (): Promise<void> => {
    while (left > 0) {
      const number = left--
      const response = await fetch(`${url}/hello/${number}`)
      const answer = (await response.text()).includes(String(number)) ? response.status : 'wrong'
      counts.set(String(answer), (counts.get(String(answer)) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: 16 }, client))
  expect(Object.fromEntries(counts)).toEqual({ '200': 1000 })
  expect(await stop()).toEqual([0, null])
  expect(stderr()).toBe('')
}, 60_000)

it('sends bodies through both ways, and gets on when a client leaves', async () => {
  const { url, stop } = await up('--from', join(root, 'test/guests/proxy.wasm'))
  const body = new Uint8Array(300_000).map((_, i) => i % 251)
  const response = await fetch(`${url}/echo`, { method: 'POST', body })
  expect(new Uint8Array(await response.arrayBuffer())).toEqual(body)
  const leaves = fetch(`${url}/echo`, { method: 'POST', body, signal: AbortSignal.timeout(1) })
  await leaves.catch(() => {})
  const again = await fetch(`${url}/echo`, { method: 'POST', body: 'x' })
  expect(await again.text()).toBe('x')
  expect(await stop()).toEqual([0, null])
}, 60_000)

/** An application with a component that answers, and one that never ends when asked for `/loop`. */
function writeSpinner(): string {
  const app = join(folder, 'spinner')
  mkdirSync(app, { recursive: true })
  copyFileSync(join(root, 'examples/hello/hello.wasm'), join(app, 'hello.wasm'))
  copyFileSync(join(root, 'test/guests/proxy.wasm'), join(app, 'proxy.wasm'))
  writeFileSync(
    join(app, 'spin.toml'),
    `spin_manifest_version = 2
[application]
name = "spinner"
[[trigger.http]]
route = "/loop"
component = "spinner"
[[trigger.http]]
route = "/hello/:name"
component = "hello"
[component.spinner]
source = "proxy.wasm"
[component.hello]
source = "hello.wasm"
variables = { greeting = "Hello" }
`,
  )
  return app
}

it('keeps what components store in its thread from one start to the next', async () => {
  const app = join(folder, 'counters')
  mkdirSync(app, { recursive: true })
  for (const [name, content] of COUNTERS) writeFileSync(join(app, name), content)
  for (const count of [1, 2]) {
    const { url, stop, stderr } = await up('--from', app)
    expect(await (await fetch(`${url}/kv/default`)).text()).toBe(`count ${count}\n`)
    expect(await (await fetch(`${url}/default`)).text()).toContain(`,n,${count}|`)
    expect(await stop()).toEqual([0, null])
    expect(stderr()).toBe('')
  }
}, 60_000)

it('loses nothing that two of them store in one folder at once', async () => {
  const app = join(folder, 'shared')
  mkdirSync(app, { recursive: true })
  for (const [name, content] of COUNTERS) writeFileSync(join(app, name), content)
  const both = await Promise.all([up('--from', app), up('--from', app)])
  const rows = both.flatMap(({ url }) => Array.from({ length: 20 }, () => `${url}/default`))
  const keys = both.flatMap(({ url }) => Array.from({ length: 20 }, () => `${url}/kv/default`))
  const texts = await Promise.all([...rows, ...keys].map(async (url) => (await fetch(url)).text()))
  // Each has put a row in, then counted them: all are there.
  for (const text of texts.slice(0, rows.length)) expect(text).toMatch(/,n,\d+\|/)
  const last = await (await fetch(rows[0] as string)).text()
  expect(last).toContain(`,n,${rows.length + 1}|`)
  // A value is read and then written: two may count the same, but each sees a whole one.
  for (const text of texts.slice(rows.length)) expect(text).toMatch(/^count \d+\n$/)
  for (const { stop, stderr } of both) {
    expect(await stop()).toEqual([0, null])
    expect(stderr()).toBe('')
  }
}, 60_000)

it('ends a guest that never gives its turn back, and goes on', async () => {
  const { url, stop, stderr } = await up('--from', writeSpinner(), '--timeout', '2')
  const stuck = fetch(`${url}/loop`)
  await vi.waitFor(() => expect(stderr()).toContain('looping'), 30_000)
  // This one comes while the thread is stuck: it waits for the next.
  const later = fetch(`${url}/hello/Ann`)
  expect((await stuck).status).toBe(500)
  expect(await (await stuck).text()).toBe('')
  expect((await later).status).toBe(200)
  expect(stderr()).toContain('busy for more than 2000 ms')
  expect(await stop()).toEqual([0, null])
}, 60_000)

it('ends what starts for ever, and goes on', async () => {
  const app = writeSpinner()
  const wasm = await parse(
    '(module (memory (export "memory") 1) (func (export "_start")) (func $s (loop $l (br $l))) (start $s))',
  )
  writeFileSync(join(app, 'proxy.wasm'), wasm)
  const manifest = readFileSync(join(app, 'spin.toml'), 'utf8')
  const wagi = 'component = "spinner"\nexecutor = { type = "wagi" }'
  writeFileSync(join(app, 'spin.toml'), manifest.replace('component = "spinner"', wagi))
  const { url, stop, stderr } = await up('--from', app, '--timeout', '1')
  expect((await fetch(`${url}/loop`)).status).toBe(500)
  expect((await fetch(`${url}/hello/Ann`)).status).toBe(200)
  expect(stderr()).toMatch(/no response within 1000 ms|busy for more than 1000 ms/)
  expect(await stop()).toEqual([0, null])
}, 60_000)

it('ends on Ctrl-C while a guest is stuck', async () => {
  const { url, stop, stderr } = await up('--from', writeSpinner())
  const stuck = fetch(`${url}/loop`).catch(() => undefined)
  await vi.waitFor(() => expect(stderr()).toContain('looping'), 30_000)
  expect((await stop())[0]).toBe(0)
  await stuck
}, 60_000)
