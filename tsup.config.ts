import { defineConfig, type Options } from 'tsup'
import { workerScriptDefine } from './test/lanes/worker-script.mjs'

const shared: Options = {
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  external: [/^node:/],
  define: await workerScriptDefine(),
  splitting: true,
  treeshake: true,
  // The widest of the projects; that the core needs no Node types is checked by `npm run typecheck`.
  tsconfig: 'src/node/tsconfig.json',
  silent: true,
}

// One build for all subpaths: what they share becomes one chunk, so that an error caught from
// `spindle/node` is an instance of the class that `spindle/errors` exports.
const library: Options = {
  ...shared,
  entry: {
    app: 'src/spin/index.ts',
    bindle: 'src/verbs/bindle.ts',
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
    'verify-digest': 'src/trust/verify-digest.ts',
    'worker-loader': 'src/run/workerd/index.ts',
  },
  dts: true,
}

// The commands are a build of their own. Node 20 opens all chunks of a program at once: the many
// small ones of the library left it no file descriptors where a process may have few.
const commands: Options = {
  ...shared,
  entry: {
    'app-worker': 'src/node/app-worker.ts',
    'bindle-server': 'src/node/cli/bindle-server.ts',
    cli: 'src/node/cli/main.ts',
  },
}

export default defineConfig([library, commands])
