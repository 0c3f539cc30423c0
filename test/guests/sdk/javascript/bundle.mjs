// As Spin's template bundles: `node bundle.mjs OUT`.
import process from 'node:process'
import { SpinEsbuildPlugin } from '@spinframework/build-tools/plugins/esbuild/index.js'
import { build } from 'esbuild'

await build({
  entryPoints: ['guest.js'],
  outfile: process.argv[2],
  bundle: true,
  format: 'esm',
  platform: 'node',
  plugins: [await SpinEsbuildPlugin()],
  logLevel: 'error',
})
