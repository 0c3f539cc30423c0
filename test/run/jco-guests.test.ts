// Whole components, each behind HTTP twice: as Spindle runs it and as jco does. What one answers, the
// other has to answer; where they may not, the case says why.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listen, type Listener } from '../../src/node/listen/listen.ts'
import { createAppHandler, type LogLine } from '../../src/run/index.ts'
import type { FetchHandler } from '../../src/types.ts'
import { findJavascriptGuest } from '../guests/javascript/build.mjs'
import { ask, bodyOf, type Ask } from './asking.ts'
import { bytesOfFile, pulledApp } from './fixtures.ts'
import { expectNoWaiting, itWaits } from './waiting.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const guest = (name: string): string => join(root, `test/guests/${name}.wasm`)

const post = (path: string, body: Ask['body']): Ask => ({ path, method: 'POST', body: body ?? '' })
const LARGE = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251)

const PROXY: readonly Ask[] = [
  { path: '/env' },
  { path: '/var/greeting' },
  { path: '/var/other' },
  { path: '/kv/default' },
  { path: '/kv/other' },
  { path: '/sqlite' },
  { path: '/status/201' },
  { path: '/status/204' },
  { path: '/status/304' },
  { path: '/status/404' },
  { path: '/log' },
  { path: '/env', method: 'HEAD' },
  post('/echo', 'abc'),
  post('/echo', ''),
  post('/echo?x=%00', LARGE),
]

interface Different {
  readonly path: string
  readonly ours: string
  readonly theirs: string
  readonly why: string
}

// Not asked of jco, as nothing comes back from it: a guest that traps, exits or answers nothing at all
// before its headers, and one that writes to its files, which preview2-shim knows no read-only way of.
const DIFFERENT: readonly Different[] = [
  {
    path: '/inject',
    ours: 'crlf 1\nname 1\nnul 1\nhost 2\nfine 0\n',
    theirs: 'crlf 1\nname 1\nnul 1\nhost 0\nfine 0\n',
    why: 'transfer-encoding is for the host alone, as in Wasmtime',
  },
  {
    path: '/late-trap',
    ours: 'broken off',
    theirs: 'before',
    why: 'half an answer must not look whole',
  },
  {
    path: '/unfinished',
    ours: 'broken off',
    theirs: 'half',
    why: 'a body that is not finished is not whole',
  },
]

const GUESTS: ReadonlyArray<{
  readonly name: string
  readonly path: string | undefined
  readonly asks: readonly Ask[]
  /** What both have to wait for. */
  readonly waits?: Ask
  readonly different?: readonly Different[]
}> = [
  {
    name: 'proxy',
    path: guest('proxy'),
    asks: PROXY,
    waits: { path: '/slow' },
    different: DIFFERENT,
  },
  { name: 'proxy-draft', path: guest('proxy-draft'), asks: PROXY, waits: { path: '/slow' } },
  {
    name: 'the example',
    path: join(root, 'examples/hello/hello.wasm'),
    asks: [
      { path: '/' },
      { path: '/hello/w%6Frld' },
      { path: '/hello/%3Cb%3E' },
      { path: '/static/icon.svg' },
      { path: '/static/nothing' },
      { path: '/static/..%2fsecret' },
      { path: '/api?x=1', method: 'PUT', body: 'ignored' },
    ],
  },
  {
    name: 'JavaScript',
    path: findJavascriptGuest(),
    asks: [
      { path: '/json?a=1&b=%C3%BC' },
      { path: '/json', method: 'DELETE' },
      post('/echo', LARGE),
      post('/text', 'ünï'),
      post('/hash', LARGE),
      { path: '/snapshot' },
      { path: '/variable?name=greeting' },
      { path: '/variable?name=other' },
      { path: '/stream' },
      { path: '/nowhere' },
    ],
    waits: { path: '/wait' },
  },
]

describe.each(GUESTS)('$name', ({ path, asks, waits, different }) => {
  if (path === undefined)
    return it('answers as through jco', (context) =>
      context.skip('not built: npm ci --prefix test/guests/javascript'))

  let folder: string
  let peer: ChildProcess
  let theirs: string
  let handler: FetchHandler
  let listener: Listener
  const log: LogLine[] = []
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spindle-jco-'))
    mkdirSync(join(folder, 'static'))
    const files = new Map(
      ['static/index.html', 'static/icon.svg'].map((name) => [
        name,
        bytesOfFile(`examples/hello/${name}`),
      ]),
    )
    for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes)
    peer = spawn(process.execPath, [join(root, 'test/run/jco-peer.mjs'), path, folder], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const app = pulledApp(
      {
        guest: {
          wasm: bytesOfFile(path.slice(root.length)),
          fileTree: files,
          env: { MODE: 'test' },
          config: { greeting: 'Hello' },
          metadata: { key_value_stores: ['default'] },
        },
      },
      [{ route: '/...', component: 'guest' }],
    )
    handler = await createAppHandler(app, {
      onLog: (line) => log.push(line),
      sqlite: () => undefined,
    })
    listener = await listen(handler)
    const [port] = (await once(peer.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
    theirs = `http://127.0.0.1:${String(port).trim()}`
  })
  afterAll(async () => {
    peer.kill()
    await listener.close()
    rmSync(folder, { recursive: true })
  })

  it.each(asks.map((one) => [one.method ?? 'GET', one.path, one] as const))(
    'answers %s %s as through jco',
    async (_method, _path, one) => {
      expect(await ask(listener.url, one)).toEqual(await ask(theirs, one))
    },
  )

  it.each(different ?? [])(
    'answers $path otherwise: $why',
    async ({ path, ours, theirs: other }) => {
      expect([await bodyOf(listener.url, path), await bodyOf(theirs, path)]).toEqual([ours, other])
    },
  )

  if (waits !== undefined)
    itWaits(
      `answers ${waits.path} as through jco`,
      async () => expect(await ask(listener.url, waits)).toEqual(await ask(theirs, waits)),
      async () => {
        expect((await ask(theirs, waits)).status).toBe(200)
        const get = (path: string): Promise<Response> =>
          handler.fetch(new Request(`http://127.0.0.1${path}`))
        await expectNoWaiting({ get, log }, waits.path)
      },
    )
})
