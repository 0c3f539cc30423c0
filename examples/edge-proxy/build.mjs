// Bundles the Worker, from the source of the library beside it. Of your own, `wrangler` does that.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { workerScriptDefine } from '../../test/lanes/worker-script.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))

/**
 * @param {string} entry
 * @param {import('esbuild').Plugin[]} [plugins]
 */
async function bundle(entry, plugins = []) {
  const { outputFiles } = await build({
    entryPoints: [join(here, 'src', entry)],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    write: false,
    define: await workerScriptDefine(),
    external: ['cloudflare:workers', '*.wasm'],
    tsconfig: join(here, 'tsconfig.json'),
    plugins,
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

/** The Worker that loads components, as one module. */
export async function buildEdgeProxy() {
  return [{ type: 'ESModule', path: 'worker.js', contents: await bundle('worker.ts') }]
}

/**
 * The Worker that components are bound to, and them.
 * @param {string} folder That `spindle build-worker` wrote.
 */
export async function buildBoundEdgeProxy(folder) {
  const script = await bundle('bound-worker.ts', [
    {
      name: 'app',
      setup: ({ onResolve }) =>
        onResolve({ filter: /\/app\/modules\.js$/ }, () => ({ path: join(folder, 'modules.js') })),
    },
  ])
  const modules = readdirSync(folder).filter((name) => name.endsWith('.wasm'))
  return [
    { type: 'ESModule', path: 'worker.js', contents: script },
    ...modules.map((path) => ({
      type: 'CompiledWasm',
      path,
      contents: readFileSync(join(folder, path)),
    })),
  ]
}
