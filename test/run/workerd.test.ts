import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Miniflare, type MiniflareOptions } from 'miniflare'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { splitComponent } from '../../src/run/index.ts'
import type { Digest } from '../../src/types.ts'
import { bytesOfFile } from './fixtures.ts'

const folder = fileURLToPath(new URL('.', import.meta.url))

/** A Worker as one deploys it: the skeleton as data, the core modules as imports. */
async function bundle(code: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: folder, loader: 'ts' },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    external: ['*.wasm', '*.bin'],
  })
  return outputFiles[0]?.text ?? ''
}

const entry = (digests: readonly Digest[]): string => `
  import { createAppHandler } from '../../src/run/index.ts'
  import { helloAround } from './hello-app.ts'
  import skeleton from './skeleton.bin'
  ${digests.map((_, i) => `import module${i} from './${i}.wasm'`).join('\n')}
  const modules = { ${digests.map((digest, i) => `'${digest}': module${i}`).join(', ')} }
  const app = { ...helloAround(''), component: async () => new Uint8Array(skeleton) }
  const get = async () => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    return { tag: 'ok', val: 'Later' }
  }
  const compile = (_, digest) => modules[digest]
  const interfaces = { 'fermyon:spin/variables': { functions: { get }, waits: new Set(['get']) } }
  // Made at the first request: a Worker may do little before.
  const handlers = {}
  export default {
    async fetch(request) {
      const name = request.headers.has('x-wait') ? 'waiting' : 'plain'
      handlers[name] ??= await createAppHandler(app, name === 'plain' ? { compile } : { compile, interfaces })
      return handlers[name].fetch(request)
    },
  }`

describe('in a Worker, with modules bound at build time', () => {
  let worker: Miniflare
  beforeAll(async () => {
    const { skeleton, modules } = await splitComponent(bytesOfFile('examples/hello/hello.wasm'))
    worker = new Miniflare({
      compatibilityDate: '2026-03-01',
      modulesRoot: '/',
      modules: [
        { type: 'ESModule', path: '/main.mjs', contents: await bundle(entry([...modules.keys()])) },
        { type: 'Data', path: '/skeleton.bin', contents: skeleton },
        ...[...modules.values()].map((contents, i) => ({
          type: 'CompiledWasm' as const,
          path: `/${i}.wasm`,
          contents,
        })),
      ],
    } as MiniflareOptions)
    await worker.ready
  })
  afterAll(() => worker.dispose())
  const ask = async (path: string, headers = {}): Promise<string> =>
    (await worker.dispatchFetch(`http://app.example${path}`, { headers })).text()

  it('an application answers a page, JSON and a static file', async () => {
    expect(await ask('/')).toBe('<p>static</p>')
    expect(await ask('/hello/you')).toContain('Hello, you!')
    expect(JSON.parse(await ask('/api?q'))).toEqual({
      greeting: 'Hello',
      method: 'GET',
      path: '/api',
      query: 'q',
    })
  })

  it('an application waits for its host', async () => {
    expect(await ask('/hello/you', { 'x-wait': '1' })).toContain('Later, you!')
  })

  it('many requests at once have an instance each', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => ask(`/hello/${i}`, i % 2 ? { 'x-wait': '1' } : {})),
    )
    expect(answers.map((text) => /(?:Hello|Later), (\d+)!/.exec(text)?.[1])).toEqual(
      answers.map((_, i) => String(i)),
    )
  })
})
