import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/**
 * What takes the place of `SPINDLE_WORKER_SCRIPT`: all that runs in a Worker of its own, as the
 * text of one module. `spindle/worker-loader` and the command line carry it with them.
 */
export async function workerScriptDefine() {
  const { outputFiles } = await build({
    entryPoints: [
      fileURLToPath(new URL('../../src/run/worker-loader/worker-app.ts', import.meta.url)),
    ],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    minify: true,
    write: false,
    logLevel: 'error',
  })
  return { SPINDLE_WORKER_SCRIPT: JSON.stringify(outputFiles[0].text) }
}
