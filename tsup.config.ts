import { defineConfig } from 'tsup'
import { workerScriptDefine } from './test/lanes/worker-script.mjs'

// One build for all subpaths: what they share becomes one chunk, so that an error caught from
// `spindle/node` is an instance of the class that `spindle/errors` exports.
export default defineConfig({
  entry: {
    app: 'src/spin/index.ts',
    'app-worker': 'src/node/app-worker.ts',
    bindle: 'src/verbs/bindle.ts',
    'bindle-server': 'src/node/cli/bindle-server.ts',
    cli: 'src/node/cli/main.ts',
    copy: 'src/verbs/copy.ts',
    'cosign-key': 'src/trust/cosign-key.ts',
    errors: 'src/errors.ts',
    index: 'src/index.ts',
    keyless: 'src/trust/keyless-entry.ts',
    mocks: 'mocks/index.ts',
    node: 'src/node/index.ts',
    pull: 'src/verbs/pull.ts',
    push: 'src/verbs/push.ts',
    reference: 'src/oci/reference.ts',
    repository: 'src/registry/repository.ts',
    resolve: 'src/verbs/resolve.ts',
    run: 'src/run/index.ts',
    'run-worker': 'src/run/worker/index.ts',
    serve: 'src/serve/index.ts',
    sign: 'src/verbs/sign.ts',
    'storage-s3': 'src/serve/storage/s3.ts',
    store: 'src/store/index.ts',
    'trust-root': 'src/trust/trust-root.ts',
    tuf: 'src/trust/tuf.ts',
    verify: 'src/verbs/verify.ts',
    'worker-loader': 'src/run/workerd/index.ts',
  },
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  external: [/^node:/],
  define: await workerScriptDefine(),
  splitting: true,
  treeshake: true,
  dts: true,
  // The widest of the projects; that the core needs no Node types is checked by `npm run typecheck`.
  tsconfig: 'src/node/tsconfig.json',
  clean: true,
  silent: true,
})
