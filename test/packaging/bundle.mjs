import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/**
 * What a subpath loads at its start, in kB of 1000 bytes, minified and gzipped with its dependencies.
 * Loose ceilings, some 20 % above what clear code weighs: clarity comes before bytes.
 */
export const BUDGETS = [
  { name: './reference', code: `export * from 'spindle/reference'`, kB: 2 },
  { name: './errors', code: `export * from 'spindle/errors'`, kB: 1.5 },
  {
    // All of transport, authentication and checking. What an application is stands in ./app: it
    // packs itself, so that pushing needs neither manifests nor a compressor.
    name: './push + ./pull',
    code: `export * from 'spindle/push'; export * from 'spindle/pull'`,
    kB: 48,
  },
  {
    name: './app + ./push + ./pull, what a page takes',
    code: `export { loadApp } from 'spindle/app'; export * from 'spindle/push'; export * from 'spindle/pull'`,
    kB: 95,
  },
  { name: './push', code: `export * from 'spindle/push'`, kB: 35 },
  { name: './pull', code: `export * from 'spindle/pull'`, kB: 43 },
  { name: './copy', code: `export * from 'spindle/copy'`, kB: 36 },
  { name: './resolve', code: `export * from 'spindle/resolve'`, kB: 20 },
  { name: './repository', code: `export * from 'spindle/repository'`, kB: 34 },
  { name: './store', code: `export * from 'spindle/store'`, kB: 17 },
  { name: './app', code: `export * from 'spindle/app'`, kB: 79 },
  { name: './serve', code: `export * from 'spindle/serve'`, kB: 77 },
  {
    name: './serve, a registry',
    code: `export { createRegistryHandler } from 'spindle/serve'`,
    kB: 27,
  },
  { name: './serve, a relay', code: `export { createRelayHandler } from 'spindle/serve'`, kB: 20 },
  { name: './storage-s3', code: `export * from 'spindle/storage-s3'`, kB: 10 },
  { name: './bindle', code: `export * from 'spindle/bindle'`, kB: 93 },
  {
    name: './bindle, a client',
    code: `export { createBindleClient } from 'spindle/bindle'`,
    kB: 39,
  },
  {
    name: './sign',
    code: `export * from 'spindle/sign'`,
    kB: 42,
    beyond: `export * from 'spindle/repository'`,
    beyondKB: 12,
  },
  {
    // Bundles alone, with X.509, logs, timestamps and policies.
    name: './verify, a bundle',
    code: `export { verifyBundle } from 'spindle/verify'`,
    kB: 20,
    beyond: `export * from 'spindle/repository'`,
    beyondKB: 18,
  },
  {
    // With both storage formats beside artifacts.
    name: './verify',
    code: `export * from 'spindle/verify'`,
    kB: 51,
    beyond: `export * from 'spindle/repository'`,
    beyondKB: 21,
  },
  {
    // Elliptic curves, which WebCrypto has over content only.
    name: './verify-digest',
    code: `export * from 'spindle/verify-digest'`,
    kB: 30,
  },
  { name: './trust-root', code: `export * from 'spindle/trust-root'`, kB: 15 },
  { name: './cosign-key', code: `export * from 'spindle/cosign-key'`, kB: 15 },
  { name: './tuf', code: `export * from 'spindle/tuf'`, kB: 15 },
  { name: './keyless', code: `export * from 'spindle/keyless'`, kB: 27 },
  { name: './run', code: `export * from 'spindle/run'`, kB: 96 },
  {
    // Without routes, executors and the manifest, with WASI 0.3 and what meters memory.
    name: './run, linker and hosts',
    code: `export * from './src/run/component/instantiate.ts'; export * from './src/run/component/compile.ts'; export * from './src/run/component/binary/parse.ts'; export * from './src/run/host/hosts.ts'`,
    kB: 56,
  },
  { name: './run-worker', code: `export * from 'spindle/run-worker'`, kB: 96 },
  {
    // Half of it is the script that it gives to the Workers that it makes.
    name: './worker-loader',
    code: `export * from 'spindle/worker-loader'`,
    kB: 108,
  },
  { name: '.', code: `export * from 'spindle'`, kB: 145 },
].filter(({ code }) => specifiersIn(code).every((specifier) => specifier in exported()))

/** Subpaths of the package that the table leaves out: they run in Node only. */
export const UNBUDGETED = ['./node', './mocks', './package.json']

function exported() {
  return Object.fromEntries(
    Object.keys(manifest.exports).map((subpath) => [`spindle${subpath.slice(1)}`, true]),
  )
}

function specifiersIn(code) {
  return [...code.matchAll(/'(spindle[^']*)'/g)].map((match) => match[1])
}

/** Bundles code that imports the built package as a user's bundler does. */
export async function bundle(code, options = {}) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: root, sourcefile: 'user.js' },
    // A package may import itself by name; its `exports` lead to `dist`.
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    external: ['node:*', 'cloudflare:*'],
    logLevel: 'error',
    ...options,
  })
  return { text: outputFiles[0].text, bytes: outputFiles[0].contents, outputFiles, metafile }
}

/**
 * Minified and gzipped bytes of what code loads at its start. Chunks behind `import()`, which few
 * users need, are not counted: bundlers keep them apart.
 */
export async function sizeOf(code) {
  const { outputFiles, metafile } = await bundle(code, {
    minify: true,
    splitting: true,
    outdir: 'out',
    chunkNames: '[hash]',
  })
  const start = Object.keys(metafile.outputs).find(
    (path) => metafile.outputs[path].entryPoint === 'user.js',
  )
  const loaded = new Set()
  const load = (path) => {
    if (loaded.has(path)) return
    loaded.add(path)
    for (const { path: imported, kind } of metafile.outputs[path].imports)
      if (kind === 'import-statement' && imported in metafile.outputs) load(imported)
  }
  load(start)
  const files = outputFiles.filter(({ path }) => loaded.has(relative(process.cwd(), path)))
  const sum = (sizes) => sizes.reduce((total, size) => total + size, 0)
  return {
    minified: sum(files.map(({ contents }) => contents.length)),
    gzipped: sum(files.map(({ contents }) => gzipSync(contents, { level: 9 }).length)),
  }
}

/**
 * All budgets with what they come to. What one brings beyond another is what both together weigh
 * more than the other alone: their sizes by themselves would count what only the other has.
 */
export async function measureSizes() {
  return Promise.all(
    BUDGETS.map(async (budget) => {
      const size = await sizeOf(budget.code)
      const extra = budget.beyond === undefined ? undefined : await measureBeyond(budget)
      const fits =
        size.gzipped <= budget.kB * 1000 && (extra === undefined || extra <= budget.beyondKB * 1000)
      return { ...budget, ...size, extra, fits }
    }),
  )
}

async function measureBeyond({ code, beyond }) {
  const [both, base] = await Promise.all([sizeOf(`${beyond}; ${code}`), sizeOf(beyond)])
  return both.gzipped - base.gzipped
}

const kB = (bytes) => (bytes / 1000).toFixed(1)

export function formatSizes(rows) {
  const cells = rows.map((row) => [
    row.name,
    kB(row.minified),
    kB(row.gzipped),
    row.kB.toFixed(1),
    row.extra === undefined
      ? ''
      : `${kB(row.extra)} of ${row.beyondKB} beyond ./${/spindle\/([a-z-]+)/.exec(row.beyond)?.[1]}`,
    row.fits ? '' : 'TOO LARGE',
  ])
  const head = ['subpath', 'min kB', 'min+gz kB', 'budget kB', '', '']
  const widths = head.map((title, column) =>
    Math.max(...[head, ...cells].map((line) => line[column].length)),
  )
  return [head, ...cells]
    .map((line) =>
      line
        .map((cell, column) =>
          column >= 1 && column <= 3 ? cell.padStart(widths[column]) : cell.padEnd(widths[column]),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
