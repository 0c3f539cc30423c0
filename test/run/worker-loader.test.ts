import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Miniflare, type MiniflareOptions } from 'miniflare'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LogLine } from '../../src/run/index.ts'
import { toWorkerCode } from '../../src/run/worker-loader/index.ts'
import { workerScriptDefine } from '../lanes/worker-script.mjs'
import { executorCases, executorComponent, executorTrigger } from './executor-cases.ts'
import { bytesOfFile, pulledApp } from './fixtures.ts'
import { itHasJavascript, javascriptGuest } from './javascript-guest.ts'

const GUESTS = ['hello', ...new Set(executorCases.map(({ guest }) => guest))]

/** A parent as one deploys it: it loads the application that it is asked for, and is its host. */
const PARENT = `
  import { WorkerEntrypoint } from 'cloudflare:workers'
  import { createWorkerHost, createWorkersKeyValue, toWorkerCode } from '../../src/run/worker-loader/index.ts'
  import { pulledApp } from './pulled-app.ts'

  const lines = []
  export class AppHost extends WorkerEntrypoint {
    fetch(request) {
      return createWorkerHost({
        keyValue: (label) =>
          label === 'default' ? createWorkersKeyValue(this.env.VALUES, { prefix: 'app/' }) : undefined,
        fetch: async (request) =>
          request.url.endsWith('/late')
            ? new Promise((resolve) => setTimeout(resolve, 20000, new Response('late')))
            : request.url.endsWith('/moved')
            ? Response.redirect('http://elsewhere.example/', 302)
            : new Response(request.method + ' ' + request.url + ' ' + (await request.text())),
        onLog: (line) => lines.push(line),
      }).fetch(request)
    }
  }

  const files = new Map([['a/b.txt', new TextEncoder().encode('hello file')]])
  export default {
    fetch(request, env, ctx) {
      if (new URL(request.url).pathname === '/lines') return Response.json(lines.splice(0))
      const text = request.headers.get('x-app')
      const { guest, component, trigger, options, alone, variables } = JSON.parse(text)
      const app = pulledApp(
        { guest: { wasm: new Uint8Array(env[guest]), fileTree: files, ...component } },
        [{ route: '/...', component: 'guest', ...trigger }, { route: '/static', static_response: { body: 'fixed' } }],
        { variables },
      )
      const host = alone ? {} : { host: ctx.exports.AppHost({}) }
      const worker = env.LOADER.get(text, () => toWorkerCode(app, { ...options, ...host }))
      return worker.getEntrypoint().fetch(request)
    },
  }`

interface Asked {
  readonly guest: string
  readonly component?: object
  readonly trigger?: object
  readonly options?: object
  readonly variables?: object
  readonly alone?: boolean
}

describe('in a Worker that a Worker loaded', () => {
  let worker: Miniflare
  beforeAll(async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: PARENT,
        resolveDir: fileURLToPath(new URL('.', import.meta.url)),
        loader: 'ts',
      },
      bundle: true,
      format: 'esm',
      target: 'es2022',
      write: false,
      define: await workerScriptDefine(),
      external: ['cloudflare:workers'],
    })
    worker = new Miniflare({
      compatibilityDate: '2026-03-01',
      modules: true,
      script: outputFiles[0]?.text ?? '',
      workerLoaders: { LOADER: {} },
      kvNamespaces: ['VALUES'],
      dataBlobBindings: {
        ...Object.fromEntries(
          GUESTS.map((name) => [
            name,
            bytesOfFile(
              name === 'hello' ? 'examples/hello/hello.wasm' : `test/guests/${name}.wasm`,
            ),
          ]),
        ),
        ...(javascriptGuest !== undefined && { javascript: javascriptGuest }),
      },
    } as MiniflareOptions)
    await worker.ready
  })
  afterAll(() => worker.dispose())

  const get = (app: Asked, path: string, init: RequestInit = {}) =>
    worker.dispatchFetch(`http://app.example${path}`, {
      ...(init as object),
      headers: { ...(init.headers as object), 'x-app': JSON.stringify(app) },
    })
  const text = async (app: Asked, path: string, init?: RequestInit): Promise<string> =>
    (await get(app, path, init)).text()
  const lines = async (): Promise<LogLine[]> =>
    (await (await worker.dispatchFetch('http://app.example/lines')).json()) as LogLine[]

  const proxy: Asked = {
    guest: 'proxy',
    component: {
      env: { MODE: 'test', ['__proto__']: 'own' },
      config: { name: 'Mr {{ who }}' },
      metadata: {
        key_value_stores: ['default', 'gone'],
        allowed_outbound_hosts: ['http://up.example'],
      },
    },
    variables: { who: { default: 'X' } },
    options: { variables: { who: 'Loader' } },
  }

  it('a component answers, with its files, environment and variables', async () => {
    expect(await text(proxy, '/env')).toBe('MODE=test\n__proto__=own\n')
    expect(await text(proxy, '/var/name')).toBe('Mr Loader')
    expect(await text(proxy, '/files')).toMatch(/^mounts 1\nread 0\nwrite 33\n/)
    expect(await text(proxy, '/static')).toBe('fixed')
  })

  it('bodies go through both ways', async () => {
    const body = 'x'.repeat(200_000)
    expect(await text(proxy, '/echo', { method: 'POST', body })).toBe(body)
  })

  it.each(['async', 'stackful'])(
    'a component of WASI 0.3 answers and waits (%s)',
    async (guest) => {
      const metadata = { allowed_outbound_hosts: ['http://up.example'] }
      const app: Asked = { guest, component: { metadata } }
      expect(await text(app, '/hello')).toBe('Hello from 0.3!')
      expect(await text(app, '/slow')).toBe('tick\ntick\ntick\n')
      expect(await text(app, '/files')).toMatch(/^llo file\nread 0\nwrite 32\n/)
      expect(await text(app, '/outbound/up.example/x')).toBe('200 GET http://up.example/x ')
      expect(await text(app, '/outbound/down.example/x')).toBe('error 15')
      const body = 'x'.repeat(200_000)
      expect(await text(app, '/echo', { method: 'POST', body })).toBe(body)
    },
  )

  it('it knows who asks, as the platform says', async () => {
    const headers = { 'cf-connecting-ip': '2001:db8::1' }
    expect(await text(proxy, '/p?q', { headers })).toContain('spin-client-addr: [2001:db8::1]:0\n')
  })

  it('it keeps values in the parent’s KV namespace', async () => {
    expect(await text(proxy, '/kv/default')).toBe('count 1\n')
    expect(await text(proxy, '/kv/default')).toBe('count 2\n')
    const values = await worker.getKVNamespace('VALUES')
    expect(new Uint8Array((await values.get('app/count', 'arrayBuffer')) as ArrayBuffer)).toEqual(
      Uint8Array.of(2),
    )
    // One label the parent has no store for, the other the manifest doesn't list.
    expect(await text(proxy, '/kv/gone')).toBe('error 1\n')
    expect(await text(proxy, '/kv/other')).toBe('error 2\n')
    expect((await values.list()).keys.map(({ name }) => name)).toEqual(['app/count'])
  })

  it('it reaches through the parent what its manifest lists, and nothing else', async () => {
    expect(await text(proxy, '/out/up.example/a?b=c%26')).toBe(
      '200 GET http://up.example/a?b=c%26 ',
    )
    expect(await text(proxy, '/out/up.example/moved')).toMatch(/^302 /)
    expect(await text(proxy, '/out/other.example/')).toBe('error 15')
    expect(await text(proxy, '/out/host.spindle.invalid/key-value?label=default')).toBe('error 15')
  })

  it('what it prints goes to the parent, and why it failed', async () => {
    await lines()
    await text(proxy, '/log')
    expect((await get(proxy, '/trap')).status).toBe(500)
    // They are sent when the answer is out.
    await expect
      .poll(async () => {
        seen.push(...(await lines()))
        return seen.map(({ component, stream, text }) => `${component} ${stream} ${text}`)
      })
      .toEqual([
        'guest stderr one',
        'guest stderr two',
        expect.stringMatching(/^guest host GET \/trap failed: /),
      ])
  })
  const seen: LogLine[] = []

  it('a request is given up after the timeout, and the Worker goes on', async () => {
    const impatient: Asked = { ...proxy, options: { variables: { who: 'W' }, timeout: 100 } }
    await lines()
    const response = await get(impatient, '/out/up.example/late')
    expect([response.status, await response.text()]).toEqual([500, ''])
    const said: string[] = []
    await expect
      .poll(async () => {
        said.push(...(await lines()).map((line) => line.text))
        return said.join('\n')
      })
      .toContain('no response within 100 ms')
    expect(await text(impatient, '/var/name')).toBe('Mr W')
  })

  it('the platform’s limits are what the caller gave', async () => {
    const app = { limits: { cpuMs: 100, subRequests: 5 } }
    expect(await text({ ...proxy, options: { ...proxy.options, ...app } }, '/env')).toContain(
      'MODE',
    )
    const code = await toWorkerCode(pulledApp({}, []), app)
    expect(code.limits).toEqual(app.limits)
  })

  it('many requests at once have an instance each', async () => {
    const hello: Asked = {
      guest: 'hello',
      component: { config: { greeting: 'Hello' } },
      trigger: { route: '/hello/:name' },
    }
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => text(hello, `/hello/${i}`)),
    )
    expect(answers.map((answer) => /Hello, (\d+)!/.exec(answer)?.[1])).toEqual(
      answers.map((_, i) => String(i)),
    )
  })

  it.each(executorCases.map((one) => [one.name, one] as const))(
    'a guest of each kind: %s',
    async (_, { guest, path, answer, refused }) => {
      const app = { guest, component: executorComponent, trigger: executorTrigger(guest) }
      if (refused?.includes('workerd') !== true)
        return expect(await text(app, path)).toContain(answer)
      await lines()
      const response = await get(app, path)
      expect([response.status, await response.text()]).toEqual([500, ''])
      const said: LogLine[] = []
      await expect
        .poll(async () => said.push(...(await lines())) && said.map((line) => line.text).join('\n'))
        .toContain('(ERR_UNSUPPORTED)')
    },
  )

  itHasJavascript('an application of 12 MB, built from JavaScript, answers and waits', async () => {
    const metadata = { allowed_outbound_hosts: ['http://up.example'] }
    const app: Asked = { guest: 'javascript', component: { metadata } }
    expect(await text(app, '/snapshot')).toBe('998001')
    expect(await text(app, '/wait')).toBe('waited')
    expect(await text(app, '/out?url=http://up.example/x')).toBe('status 200')
    const body = 'x'.repeat(200_000)
    expect(await text(app, '/text', { method: 'POST', body })).toBe('X'.repeat(200_000))
  })

  it('alone it has no stores, and its parent’s network', async () => {
    expect(await text({ ...proxy, alone: true }, '/kv/default')).toBe('error 1\n')
    expect(await text({ ...proxy, alone: true }, '/env')).toBe('MODE=test\n__proto__=own\n')
  })

  it('is a 500 when it can’t start, and the parent’s log says why', async () => {
    await lines()
    const app: Asked = { guest: 'proxy', variables: { token: { secret: true } } }
    const response = await get(app, '/env')
    expect([response.status, await response.text()]).toEqual([500, ''])
    expect(await lines()).toMatchObject([
      { stream: 'host', text: expect.stringMatching(/can't start: .*"token"/) },
    ])
  })
})
