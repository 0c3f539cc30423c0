import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rollup } from 'rollup'
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
    'cosign-key': 'src/trust/keys/cosign-key.ts',
    errors: 'src/errors.ts',
    index: 'src/index.ts',
    keyless: 'src/trust/keyless/keyless-entry.ts',
    mocks: 'mocks/index.ts',
    node: 'src/node/index.ts',
    pull: 'src/verbs/pull.ts',
    push: 'src/verbs/push.ts',
    reference: 'src/oci/reference.ts',
    repository: 'src/registry/repository.ts',
    resolve: 'src/verbs/resolve.ts',
    run: 'src/run/index.ts',
    'run-worker': 'src/run/web-worker/index.ts',
    serve: 'src/serve/index.ts',
    sign: 'src/verbs/sign.ts',
    'storage-s3': 'src/serve/storage/s3.ts',
    store: 'src/store/index.ts',
    'trust-root': 'src/trust/root/trust-root.ts',
    tuf: 'src/trust/root/tuf.ts',
    verify: 'src/verbs/verify.ts',
    'verify-digest': 'src/trust/keys/verify-digest.ts',
    'worker-loader': 'src/run/worker-loader/index.ts',
  },
  dts: true,
  onSuccess: () => mergeChunks(Object.keys(library.entry ?? {})),
}

/**
 * Bytes below which a chunk is merged with others. The main entry point loads 35 files then in place of
 * 61. Larger ones would make small subpaths load and bundle more that they do not need.
 */
const MIN_CHUNK_SIZE = 3000

/**
 * Merges the small chunks of the library. esbuild makes one for every set of subpaths that share a
 * module, and Node 20 opens all files of a program at once: they took more file descriptors than a
 * process may have.
 */
async function mergeChunks(entries: readonly string[]): Promise<void> {
  const built = await rollup({
    input: Object.fromEntries(entries.map((name) => [name, join('dist', `${name}.js`)])),
    external: (id) => !/^[./]/.test(id),
    // No module of the library has side effects, as package.json says too.
    treeshake: { moduleSideEffects: false },
    logLevel: 'silent',
  })
  const { output } = await built.generate({
    chunkFileNames: 'chunk-[hash].js',
    experimentalMinChunkSize: MIN_CHUNK_SIZE,
    hoistTransitiveImports: false,
    minifyInternalExports: false,
  })
  const before = new Set(built.watchFiles)
  await built.close()
  for (const file of output)
    if (file.type === 'chunk') await writeFile(join('dist', file.fileName), file.code)
  const after = new Set(output.map(({ fileName }) => fileName))
  for (const name of await readdir('dist'))
    if (before.has(join(process.cwd(), 'dist', name)) && !after.has(name))
      await rm(join('dist', name))
}

// The commands are a build of their own. Node 20 opens all chunks of a program at once: the many
// small ones of the library left it no file descriptors where a process may have few.
const commands: Options = {
  ...shared,
  entry: {
    'app-worker': 'src/node/app-worker.ts',
    'bindle-server': 'src/cli/bindle-server.ts',
    cli: 'src/cli/main.ts',
  },
  // A name of its own: a chunk that is the same in both builds goes when the library's are merged.
  esbuildOptions: (options) => {
    options.chunkNames = 'command-[hash]'
  },
}

export default defineConfig([library, commands])
