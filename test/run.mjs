// The whole check: build, types, lint, and every test lane that this machine can run.
// `node test/run.mjs node workerd` runs only the lanes named; `CI=true` lets no lane be left out.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { lanes } from './lanes/lanes.mjs'
import { schedule } from './lanes/schedule.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const strict = process.env.CI === 'true'
const scratch = mkdtempSync(join(tmpdir(), 'spindle-lanes-'))
process.once('SIGINT', () => process.exit(130))
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }))

/**
 * How many test files, and steps, run at once. Half as many again as there are cores: they spend a
 * good part of their time waiting, for timers, servers and browsers.
 */
const CAPACITY = Math.ceil(availableParallelism() * 1.5)

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
/** Of all lanes: what loading and running each file took. */
const files = []

/** Resolves with the exit code. Each line of output is led by the name of who wrote it. */
function run(name, command, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => console.log(`${name} | ${line}`))
    child.once('error', (error) => {
      console.log(`${name} | ${error.message}`)
      resolve(1)
    })
    child.once('close', (code) => resolve(code ?? 1))
    // What outlives it may hold its pipes, and must not hold up the rest.
    const letGo = () => [child.stdout, child.stderr].forEach((stream) => stream.destroy())
    child.once('exit', () => setTimeout(letGo, 5000).unref())
  })
}

async function runStep(name, script) {
  const started = Date.now()
  const ok = (await run(name, 'npm', ['run', '--silent', script])) === 0
  report.push(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds(Date.now() - started)})`)
  if (!ok) failed++
}

async function runLane(lane) {
  const started = Date.now()
  const resultPath = join(scratch, `${lane.name}.json`)
  const status = await run(
    lane.name,
    lane.program,
    [
      ...(lane.args ?? []),
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      ...['run', '--config', 'test/vitest.config.ts'],
      ...lane.projects.flatMap((project) => ['--project', project]),
      ...['--maxWorkers', String(lane.workers)],
      ...['--reporter', 'default', '--reporter', './test/lanes/reporter.mjs'],
    ],
    {
      // Programs that ask for `node` get the lane's.
      PATH: [dirname(lane.program), process.env.PATH].join(delimiter),
      LANE_RESULT: resultPath,
      LANE_INCLUDE: (lane.include ?? []).join(),
      LANE_EXCLUDE: (lane.exclude ?? []).join(),
      // What one Node has transformed, the others need not.
      LANE_CACHE: join(scratch, 'transformed'),
    },
  )
  const result = existsSync(resultPath)
    ? JSON.parse(readFileSync(resultPath, 'utf8'))
    : {
        passed: 0,
        failed: 1,
        skipped: [],
        unsteady: [],
        failures: [{ name: 'the runner', why: 'it died' }],
        files: [],
      }
  if (status !== 0 && result.failed === 0) result.failed = 1
  if (result.passed + result.failed === 0) result.failed = 1
  passed += result.passed
  failed += result.failed
  const sum = (key) => seconds(result.files.reduce((total, file) => total + file[key], 0))
  report.push(
    `${result.failed === 0 ? 'ok    ' : 'FAILED'} ${lane.what}: ${result.passed} passed, ${result.failed} failed (${seconds(Date.now() - started)}, ${lane.workers} at once; loading ${sum('loading')}, tests ${sum('tests')})`,
  )
  for (const file of result.files) files.push({ ...file, lane: lane.name })
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

function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(1)} s`
}

const steps =
  wanted.length > 0
    ? []
    : [
        { name: 'types', script: 'typecheck' },
        { name: 'lint', script: 'lint' },
        // Its tool writes files beside its configuration, which are not for the linters.
        { name: 'build', script: 'build', after: 'lint' },
      ]
const chosen = lanes.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
for (const { what, missing } of chosen) if (missing) leftOut.push(`${what}: ${missing}`)
await schedule(
  [
    ...steps.map(({ name, script, after }) => ({
      ...{ name, width: 1, after },
      run: () => runStep(name, script),
    })),
    // What is tested of the package is what was just built.
    ...chosen
      .filter(({ missing }) => !missing)
      .map((lane) => ({
        name: lane.name,
        width: lane.workers,
        after: 'build',
        run: () => runLane(lane),
      })),
  ],
  CAPACITY,
)

console.log(`\n${report.join('\n')}`)
if (strict) {
  const slowest = files.sort((a, b) => b.loading + b.tests - (a.loading + a.tests)).slice(0, 20)
  for (const { lane, file, loading, tests } of slowest)
    console.log(`slowest: ${seconds(loading + tests)} ${file} in ${lane}`)
}
for (const line of unsteady) console.log(`unsteady, failed once and then passed: ${line}`)
for (const line of withoutPeer) console.log(`without its peer: ${line}`)
for (const line of leftOut) console.log(`left out: ${line}`)
if (strict && leftOut.length > 0) {
  console.log('CI=true: what was left out counts as failed')
  failed += leftOut.length
}
console.log(`all of it: ${seconds(performance.now())}`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
