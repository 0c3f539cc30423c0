import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { Miniflare } from 'miniflare'
import { measure } from './process.mjs'

const STARTED = '2026-03-01'

/** Spindle in a Worker: from bytes to a Worker of its own, by the Worker Loader. */
const SPINDLE = `
  import { toWorkerCode } from './dist/worker-loader.js'
  import { benchApp } from './bench/sides/bench-app.mjs'
  let code
  export default {
    fetch(request, env) {
      if (request.url.endsWith('/warm')) return new Response()
      code ??= toWorkerCode(benchApp(new Uint8Array(env.GUEST)), {})
      return env.LOADER.get('guest', () => code).getEntrypoint().fetch(request)
    },
  }`

/** What jco has generated, as the Worker that the same loader starts. */
const JCO = `
  export default {
    fetch: (request, env) =>
      request.url.endsWith('/warm') ? new Response() : env.LOADER.get('guest', () => ({
        compatibilityDate: '${STARTED}',
        mainModule: 'main.js',
        modules: { 'main.js': env.MAIN, 'c.js': env.SOURCE, ...env.CORES },
      })).getEntrypoint().fetch(request),
  }`

async function bundle(root, contents, external = []) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    format: 'esm',
    target: 'esnext',
    conditions: ['browser'],
    write: false,
    alias: { '@bytecodealliance/preview2-shim': 'preview2-shim-web' },
    nodePaths: [join(root, 'bench/node_modules')],
    external,
    logLevel: 'error',
  })
  return outputFiles[0].text
}

/** workerd with both sides. What jco does before, it does in Node: its generator is counted there. */
export async function openComponentWorker(root) {
  const constants = join(root, 'node_modules/@bytecodealliance/jco-transpile/dist/constants.js')
  const spindle = await bundle(root, SPINDLE)
  const loader = { workerLoaders: { LOADER: {} }, modules: true, compatibilityDate: STARTED }

  async function jcoOptions(guest) {
    const scratch = mkdtempSync(join(tmpdir(), 'bench-jco-'))
    const { took: before } = await measure(process.execPath, [
      join(root, 'bench/sides/jco-generate.mjs'),
      ...[guest, scratch, pathToFileURL(constants).href],
    ])
    const cores = readdirSync(scratch).filter((name) => name.endsWith('.wasm'))
    const main = await bundle(
      root,
      `${cores.map((name, i) => `import c${i} from '${name}'`).join('\n')}
      import { instantiate } from 'c.js'
      import { InMemoryHttpClient } from '@bytecodealliance/preview2-shim/http'
      import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation'
      import { spinForJco } from './bench/sides/bench-app.mjs'
      const cores = { ${cores.map((name, i) => `'${name}': c${i}`).join(', ')} }
      const imports = {
        ...new WASIShim({ sandbox: { preopens: {}, env: {}, args: [] } }).getImportObject(),
        ...spinForJco,
      }
      export default {
        async fetch(request) {
          const { incomingHandler } = await instantiate((name) => cores[name], imports)
          return new InMemoryHttpClient(incomingHandler).fetch(request)
        },
      }`,
      ['*.wasm', 'c.js'],
    )
    const script = JCO.replace(
      '...env.CORES',
      cores.map((name, i) => `'${name}': { wasm: env.CORE${i} }`).join(', '),
    )
    const options = {
      ...loader,
      script,
      bindings: { MAIN: main, SOURCE: readFileSync(join(scratch, 'c.js'), 'utf8') },
      dataBlobBindings: Object.fromEntries(
        cores.map((core, i) => [`CORE${i}`, new Uint8Array(readFileSync(join(scratch, core)))]),
      ),
    }
    rmSync(scratch, { recursive: true })
    return { before, options }
  }

  return {
    async measure(name, guest, path, count) {
      const wasm = new Uint8Array(readFileSync(guest))
      const { before, options } =
        name === 'jco'
          ? await jcoOptions(guest)
          : {
              before: 0,
              options: { ...loader, script: spindle, dataBlobBindings: { GUEST: wasm } },
            }
      const worker = new Miniflare(options)
      const get = async (path) => (await worker.dispatchFetch(`http://bench.example${path}`)).text()
      const ask = () => get(path)
      try {
        await worker.ready
        // The way to the Worker is not measured.
        await get('/warm')
        const started = performance.now()
        const first = await ask()
        const cold = before + performance.now() - started
        const samples = []
        for (let i = 0; i < count; i++) {
          const at = performance.now()
          if ((await ask()) !== first) throw new Error(`${name} does not answer the same again`)
          samples.push(performance.now() - at)
        }
        return { cold, each: samples.toSorted((a, b) => a - b)[samples.length >> 1], first }
      } finally {
        await worker.dispose()
      }
    },
  }
}
