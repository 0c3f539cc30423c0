// Bundles the Worker into one module, from the source of the library beside it.
// Of your own, `wrangler` does that.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { workerScriptDefine } from '../../test/lanes/worker-script.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))

/** @returns {Promise<string>} The text of the module. */
export async function buildEdgeProxy() {
  const { outputFiles } = await build({
    entryPoints: [join(here, 'src', 'worker.ts')],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    write: false,
    define: await workerScriptDefine(),
    external: ['cloudflare:workers'],
    tsconfig: join(here, 'tsconfig.json'),
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}
