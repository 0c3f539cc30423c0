// npm run soak: pushes, pulls, runs and relays at once over loopback, with faults, for `-- --minutes 10`.
//
// A registry in a folder, in a process of its own, is killed and started again in the middle of
// uploads; what is between it and the clients cuts connections, answers 5xx and is slow. At the end
// nothing acknowledged may be lost, nothing torn, and memory and open handles as they were.
import { fork } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { cpus, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  createRelayFetch,
  createTransport,
  isSpindleError,
  loadApp,
  pull,
  push,
} from '../dist/index.js'
import { createNodeHasher, listen } from '../dist/node.js'
import { createAppHandler } from '../dist/run.js'
import { createRelayHandler } from '../dist/serve.js'
import { createFaults } from './soak/faults.mjs'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } })
const minutes = Number(values.minutes)
if (!(minutes > 0 && minutes <= 30)) {
  console.error(`--minutes is a number up to 30, not ${values.minutes}`)
  process.exit(2)
}
const end = Date.now() + minutes * 60_000

/** However fast a machine is: a loop that fails at once must not turn into a flood. */
const MOST_ROUNDS = 100_000
/** Milliseconds between two deaths of the registry. */
const LIFE = 5000
/** Applications that are kept at a time; older ones are overwritten, as in use. */
const NAMES = 40

const folder = mkdtempSync(join(tmpdir(), 'spindle-soak-'))
const wasm = readFileSync(new URL('../examples/hello/hello.wasm', import.meta.url))
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')

const counts = { pushes: 0, pulls: 0, relayed: 0, requests: 0, refusals: 0, restarts: 0 }
const wrong = []
/** By name: the digests that were acknowledged or may be, in the order of pushes; and contents. */
const written = new Map()

async function startServer() {
  const child = fork(fileURLToPath(new URL('soak/server.mjs', import.meta.url)), [
    join(folder, 'registry'),
  ])
  const [url] = await new Promise((resolve, reject) => {
    child.once('message', (message) => resolve([message]))
    child.once('exit', (code) => reject(new Error(`the registry ended with ${code}`)))
  })
  return { child, url }
}

let server = await startServer()
const faults = createFaults(() => server.url)
const front = await listen(faults)
const host = new URL(front.url).host
const relay = await listen(
  createRelayHandler({
    registries: [host],
    insecure: [host],
    origins: [],
    writable: () => true,
    secret: randomBytes(32),
  }),
)
const retry = { limit: 8, delay: (attempt) => 50 * attempt }
const direct = createTransport({ retry, timeout: 10_000 })
const relayed = createTransport({
  retry,
  timeout: 10_000,
  fetch: createRelayFetch(`${relay.url}/relay`),
})
const createHasher = createNodeHasher

/** What faults may do to a call: nothing but a coded error. */
function note(error, what) {
  if (isSpindleError(error) && !/DIGEST|CONTENT/.test(error.code)) counts.refusals++
  else wrong.push(`${what}: ${error.stack ?? error}`)
}

async function makeApp() {
  const page = randomBytes(2000 + Math.floor(Math.random() * 200_000))
  const app = await loadApp({
    'spin.toml': `spin_manifest_version = 2
[application]
name = "soak"
version = "1.0.0"
[variables]
greeting = { default = "Hello" }
[[trigger.http]]
route = "/hello/:name"
component = "hello"
[component.hello]
source = "hello.wasm"
files = [{ source = "files", destination = "static" }]
variables = { greeting = "{{ greeting }}" }
`,
    'hello.wasm': wasm,
    'files/page.bin': page,
  })
  return { app, sha: sha256(page) }
}

async function pushOne(round, transport) {
  const name = `soak/app${round % NAMES}`
  const { app, sha } = await makeApp()
  const history = written.get(name) ?? []
  // Before it is sent: a push that fails may have been kept all the same.
  history.push({ sha, acknowledged: false })
  const mine = history.at(-1)
  written.set(name, history)
  try {
    await push(app, `${host}/${name}:v1`, { transport, createHasher })
    mine.acknowledged = true
    // Whatever was pushed under this name before can't come back.
    history.splice(0, history.indexOf(mine))
  } catch (error) {
    note(error, `push of ${name}`)
  }
}

async function pullOne(transport, { run = false } = {}) {
  const names = [...written].filter(([, history]) => history.some((one) => one.acknowledged))
  const [name, history] = names[Math.floor(Math.random() * names.length)] ?? []
  if (name === undefined) return sleep(20)
  const before = [...history]
  try {
    const app = await pull(`${host}/${name}:v1`, { transport, createHasher })
    const page = (await app.files('hello')).get('static/page.bin')
    const sha = sha256(
      page instanceof Uint8Array
        ? page
        : new Uint8Array(await new Response(page.stream()).arrayBuffer()),
    )
    const known = [...before, ...(written.get(name) ?? [])]
    if (!known.some((one) => one.sha === sha)) wrong.push(`${name} gave what nobody pushed: ${sha}`)
    if (!run) return undefined
    const { fetch } = await createAppHandler(app)
    const answers = Array.from({ length: 8 }, async (_, i) => {
      const response = await fetch(new Request(`http://soak.test/hello/number${i}`))
      if (!(await response.text()).includes(`number${i}!`)) wrong.push(`${name} answered nonsense`)
      counts.requests++
    })
    await Promise.all(answers)
  } catch (error) {
    // An acknowledged tag that is not there is lost; what a cut or a 503 did is not.
    if (isSpindleError(error) && error.code === 'ERR_NOT_FOUND')
      wrong.push(`${name} is lost: ${error.message}`)
    else note(error, `pull of ${name}`)
  }
  return undefined
}

/** Each name is written by one loop only, so that its order of writes is known. */
async function loop(work, first, step) {
  for (let round = first; Date.now() < end && round < MOST_ROUNDS; round += step) await work(round)
}

async function killNowAndThen() {
  while (Date.now() + LIFE < end) {
    await sleep(LIFE)
    const old = server
    const gone = new Promise((resolve) => old.child.once('exit', resolve))
    old.child.kill('SIGKILL')
    await gone
    server = await startServer()
    counts.restarts++
  }
}

const samples = []
function sample() {
  globalThis.gc?.()
  samples.push({
    rss: process.memoryUsage.rss(),
    heap: process.memoryUsage().heapUsed,
    handles: readdirSync('/proc/self/fd').length,
  })
}
const sampler = setInterval(sample, 2000)

await Promise.all([
  loop((round) => pushOne(round, direct).then(() => void counts.pushes++), 0, 2),
  loop((round) => pushOne(round, relayed).then(() => void counts.relayed++), 1, 2),
  loop(() => pullOne(direct).then(() => void counts.pulls++), 0, 1),
  loop(() => pullOne(direct, { run: true }).then(() => void counts.pulls++), 0, 1),
  loop(() => pullOne(relayed).then(() => void counts.relayed++), 0, 1),
  killNowAndThen(),
])
clearInterval(sampler)

// The end: no more faults, and everything that was acknowledged has to be there, whole.
faults.calm()
let kept = 0
for (const [name, history] of written) {
  if (!history.some((one) => one.acknowledged)) continue
  try {
    const app = await pull(`${host}/${name}:v1`, { transport: direct, createHasher })
    await app.component('hello')
    const page = (await app.files('hello')).get('static/page.bin')
    const sha = sha256(
      page instanceof Uint8Array
        ? page
        : new Uint8Array(await new Response(page.stream()).arrayBuffer()),
    )
    if (history.some((one) => one.sha === sha)) kept++
    else wrong.push(`${name} has at the end what is older than its last acknowledged push`)
  } catch (error) {
    wrong.push(`${name} is lost at the end: ${error.message}`)
  }
}
await relay.close()
await front.close()
const gone = new Promise((resolve) => server.child.once('exit', resolve))
server.child.kill()
await gone
const torn = readdirSync(join(folder, 'registry'), { recursive: true, withFileTypes: true }).length
rmSync(folder, { recursive: true, force: true })

/** Medians of the second quarter, when all is warm, and of the last. */
const quarter = Math.max(1, Math.floor(samples.length / 4))
const median = (list, key) =>
  list.map((one) => one[key]).toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0
const early = samples.slice(quarter, 2 * quarter)
const late = samples.slice(-quarter)
const MiB = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`
const grew = (key) => median(late, key) - median(early, key)
// A tenth of a heap is noise of the collector; a leak of one request in ten is not.
if (grew('heap') > Math.max(16 * 2 ** 20, median(early, 'heap') * 0.25))
  wrong.push(`the heap grew from ${MiB(median(early, 'heap'))} to ${MiB(median(late, 'heap'))}`)
if (grew('handles') > 16)
  wrong.push(`handles grew from ${median(early, 'handles')} to ${median(late, 'handles')}`)

const rows = [
  ['minutes', minutes],
  ['pushes, directly', counts.pushes],
  ['pulls, directly', counts.pulls],
  ['of their applications, requests answered', counts.requests],
  ['pushes and pulls through the relay', counts.relayed],
  ['deaths of the registry', counts.restarts],
  [
    'faults: connections cut, 5xx, slow answers',
    `${faults.counts.cut}, ${faults.counts.refused}, ${faults.counts.slow}`,
  ],
  ['calls that ended with a coded error', counts.refusals],
  [
    'names whose last acknowledged push was there at the end',
    `${kept} of ${[...written.values()].filter((h) => h.some((o) => o.acknowledged)).length}`,
  ],
  ['heap, early and late', `${MiB(median(early, 'heap'))}, ${MiB(median(late, 'heap'))}`],
  ['resident memory, early and late', `${MiB(median(early, 'rss'))}, ${MiB(median(late, 'rss'))}`],
  ['open handles, early and late', `${median(early, 'handles')}, ${median(late, 'handles')}`],
  ['files of the registry at the end', torn],
]
console.log(
  `Node ${process.versions.node}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}\n`,
)
console.log('| | |\n| --- | --: |')
for (const [name, value] of rows) console.log(`| ${name} | ${value} |`)
for (const line of wrong.slice(0, 20)) console.error(`\nwrong: ${line}`)
console.log(wrong.length === 0 ? '\nnothing lost, nothing torn' : `\n${wrong.length} wrong`)
process.exitCode = wrong.length === 0 ? 0 : 1
