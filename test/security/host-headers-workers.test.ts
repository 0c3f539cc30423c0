// What a client's headers may not say to a guest, where the host is a Worker: the same as in Node.
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Miniflare, type MiniflareOptions } from 'miniflare'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAppHandler } from '../../src/run/index.ts'
import type { runAppOf } from '../../src/run/app/run-app.ts'
import { MAIN_MODULE, type workerModules } from '../../src/run/worker-loader/worker-modules.ts'
import { workerScriptDefine } from '../lanes/worker-script.mjs'
import { guest } from '../run/guests.ts'
import { pulledApp } from '../run/pulled-app.ts'

const app = pulledApp({ http: { wasm: guest('proxy') }, cgi: { wasm: guest('wagi') } }, [
  { route: '/wagi/:user/...', component: 'cgi', executor: { type: 'wagi' } },
  { route: '/http/:user/...', component: 'http' },
])

/** Sent to each host; Node's answer says what the guest of a Worker must see. */
const FORGED: ReadonlyArray<readonly [string, Readonly<Record<string, string>>]> = [
  [
    'spin- headers',
    { 'spin-path-info': 'forged', 'spin-full-url': 'forged', 'spin-matched-route': 'forged' },
  ],
  [
    'spin- headers with underscores',
    { spin_client_addr: 'forged', 'spin-path_match-role': 'forged' },
  ],
  ['the address of the client', { 'spin-client-addr': 'forged', 'x-client-addr': 'forged' }],
  ['path matches', { 'spin-path-match-user': 'forged', 'spin-path-match-admin': 'forged' }],
  ['a proxy', { proxy: 'http://evil.example', pro_xy: 'forged' }],
  ['credentials of a proxy', { 'proxy-authorization': 'forged', 'proxy-connection': 'forged' }],
  ['headers of other spelling', { x_real_ip: 'forged', 'x-mine': 'mine' }],
]

/** What a client sends over the wire, its Host too. */
const send = (at: URL, path: string, headers: Readonly<Record<string, string>>): Promise<string> =>
  new Promise((resolve, reject) => {
    const sent = request(new URL(path, at), { headers: { host: 'app.example', ...headers } })
    sent.on('error', reject)
    sent.on('response', (response) => void text(response).then(resolve, reject))
    sent.end()
  })

/** An answer's lines without what differs between hosts by right: the Worker's own headers. */
const given = (answer: string): string[] =>
  answer
    .split('\n')
    .filter(
      (line) => !/^(?:cf-|mf-|accept|user-agent|HTTP_(?:CF|MF|ACCEPT|USER_AGENT))/i.test(line),
    )
    .filter(
      (line) =>
        !/^(?:content-length|host|HTTP_HOST|HTTP_SPIN_CLIENT_ADDR|spin-client-addr|X_CLIENT_ADDR|REMOTE_)/i.test(
          line,
        ),
    )
    .toSorted()

const PARENT = (code: string): string => `
  export default {
    fetch(request, env) {
      const modules = Object.fromEntries(
        Object.entries(${code}).map(([name, text]) => {
          const [kind, ...rest] = text.split(':')
          const bytes = () => Uint8Array.from(atob(rest.join(':')), (c) => c.charCodeAt(0)).buffer
          return [name, kind === 'js' ? { js: rest.join(':') } : { [kind]: bytes() }]
        }),
      )
      const code = { compatibilityDate: '2026-03-01', mainModule: ${JSON.stringify(MAIN_MODULE)}, modules }
      return env.LOADER.get('app', () => code).getEntrypoint().fetch(request)
    },
  }`

describe.each(['a deployed Worker', 'a Worker that a Worker loaded'])('in %s', (kind) => {
  let worker: Miniflare
  let at: URL
  let node: Awaited<ReturnType<typeof createAppHandler>>
  beforeAll(async () => {
    node = await createAppHandler(app)
    const script = await bundledModules()
    const modules = Object.entries(script)
    worker = new Miniflare(
      (kind === 'a deployed Worker'
        ? {
            compatibilityDate: '2026-03-01',
            modulesRoot: '/',
            modules: modules
              .toSorted(([a], [b]) => Number(b === MAIN_MODULE) - Number(a === MAIN_MODULE))
              .map(([name, module]) => ({
                type:
                  module.kind === 'js'
                    ? 'ESModule'
                    : module.kind === 'wasm'
                      ? 'CompiledWasm'
                      : 'Data',
                path: `/${name}`,
                contents: module.kind === 'js' ? module.text : module.bytes,
              })),
          }
        : {
            compatibilityDate: '2026-03-01',
            modules: true,
            script: PARENT(
              JSON.stringify(
                Object.fromEntries(
                  modules.map(([name, module]) => [
                    name,
                    module.kind === 'js'
                      ? `js:${module.text}`
                      : `${module.kind}:${Buffer.from(module.bytes).toString('base64')}`,
                  ]),
                ),
              ),
            ),
            workerLoaders: { LOADER: {} },
          }) as unknown as MiniflareOptions,
    )
    at = await worker.ready
  }, 60_000)
  afterAll(() => worker.dispose())

  it.each(['http', 'wagi'])('a guest of %s sees what it sees in Node', async (executor) => {
    for (const [what, headers] of FORGED) {
      const url = `http://app.example/${executor}/ann/x?q`
      const seen = given(await send(at, `/${executor}/ann/x?q`, headers))
      const inNode = await node.fetch(new Request(url, { headers }))
      expect(seen, what).toEqual(given(await inNode.text()))
      expect(seen.join('\n'), what).not.toMatch(
        executor === 'http'
          ? /^(?:spin.*|proxy.*): .*forged/im
          : /^HTTP_PROXY=|HTTP_SPIN.*forged/im,
      )
    }
  })

  it.each(['back.spin.internal', 'BACK.Spin.Internal.', 'self.alt:3000'])(
    'a client can’t pass for a component by the host %s',
    async (host) => {
      for (const executor of ['http', 'wagi']) {
        const seen = await send(at, `/${executor}/ann/x`, { host })
        expect(seen).toContain(`http://localhost/${executor}/ann/x`)
        expect(seen).not.toMatch(/spin\.internal|self\.alt/i)
      }
    },
  )
})

type Module =
  | { readonly kind: 'js'; readonly text: string }
  | { readonly kind: 'wasm' | 'data'; readonly bytes: Uint8Array }

/** The modules of the application as `build-worker` writes them. The script is bundled as the package's build does. */
async function bundledModules(): Promise<Record<string, Module>> {
  const define = await workerScriptDefine()
  const { outputFiles } = await build({
    stdin: {
      contents: `export { workerModules } from '../../src/run/worker-loader/worker-modules.ts'
        export { runAppOf } from '../../src/run/app/run-app.ts'`,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
      loader: 'ts',
    },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    define,
  })
  const code = outputFiles[0]?.text ?? ''
  const built = (await import(
    `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`
  )) as { workerModules: typeof workerModules; runAppOf: typeof runAppOf }
  const modules: Record<string, Module> = {}
  for (const [name, module] of await built.workerModules(built.runAppOf(app), {}))
    modules[name] =
      'js' in module
        ? { kind: 'js', text: module.js }
        : 'wasm' in module
          ? { kind: 'wasm', bytes: module.wasm as Uint8Array }
          : { kind: 'data', bytes: (module as { data: Uint8Array }).data }
  return modules
}
