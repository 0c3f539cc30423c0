// npm run bench: transfers, memory, digests and components, each beside its peers in the same run. What it prints
// is Markdown, as it stands in the README. Some eight minutes on a machine that does nothing else.
// `-- --quick`: a tenth of it, to see that it runs; its figures mean nothing.
// `-- --rounds 3`, `-- --only transfers,stream,distance,bindle,digest,components`, `-- --sides spindle,oras`.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { measureBindle } from './bindle.mjs'
import { writeLayout } from './content.mjs'
import { measureComponents } from './components.mjs'
import { measureDigests } from './digest.mjs'
import { measureDistance } from './distance.mjs'
import { measure, median } from './process.mjs'
import { startRegistry } from './registry.mjs'
import { formatTable } from './table.mjs'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    sides: { type: 'string', default: 'spindle,oras,skopeo,@sigstore/oci,node:http' },
    only: { type: 'string', default: 'transfers,stream,distance,bindle,digest,components' },
  },
})
const { quick } = values
const rounds = Number(values.rounds ?? (quick ? 1 : 3))
const only = values.only.split(',')
const sides = values.sides.split(',')
const here = fileURLToPath(new URL('.', import.meta.url))
const side = (name) => join(here, 'sides', `${name}.mjs`)
const CONCURRENCY = '8'

function hasCommand(command, args) {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/**
 * With two cores for all, what a client computes is taken from the registry. Apart, each has one, as
 * on two machines.
 */
const canPart = cpus().length > 1 && hasCommand('taskset', ['--version'])

async function measureApart(command, args) {
  const holdTo = (cores) =>
    execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, String(registry.pid)])
  holdTo('0')
  try {
    return await measure('taskset', ['--cpu-list', '1', command, ...args])
  } finally {
    holdTo(`0-${cpus().length - 1}`)
  }
}

/** Memory as a disk: a real one would measure itself. */
const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'spindle-bench-'))
let registry
const leftOut = []

/** Who is measured, and how each is told to push and pull. A missing action is left out. */
const SIDES = [
  {
    name: 'spindle',
    push: (layout, repository) => [
      process.execPath,
      [side('spindle'), 'push', `${registry.host}/${repository}:v1`, layout],
    ],
    pull: (repository, target) => [
      process.execPath,
      [side('spindle'), 'pull', `${registry.host}/${repository}:v1`, target],
    ],
    pullIntoMemory: (repository) => [
      process.execPath,
      [side('spindle'), 'pull-memory', `${registry.host}/${repository}:v1`],
    ],
  },
  {
    name: 'oras',
    missing: !hasCommand('oras', ['version']) && 'not on PATH',
    push: (layout, repository) => [
      'oras',
      [
        'cp',
        '--concurrency',
        CONCURRENCY,
        '--from-oci-layout',
        `${layout}:v1`,
        '--to-plain-http',
        `${registry.host}/${repository}:v1`,
      ],
    ],
    pull: (repository, target) => [
      'oras',
      [
        'cp',
        '--concurrency',
        CONCURRENCY,
        '--from-plain-http',
        `${registry.host}/${repository}:v1`,
        '--to-oci-layout',
        `${target}:v1`,
      ],
    ],
  },
  {
    name: 'skopeo',
    missing: !hasCommand('skopeo', ['--version']) && 'not on PATH',
    without: { many: 'takes minutes for so many layers' },
    push: (layout, repository) => [
      'skopeo',
      [
        'copy',
        '--quiet',
        '--insecure-policy',
        '--preserve-digests',
        '--dest-tls-verify=false',
        `oci:${layout}:v1`,
        `docker://${registry.host}/${repository}:v1`,
      ],
    ],
    pull: (repository, target) => [
      'skopeo',
      [
        'copy',
        '--quiet',
        '--insecure-policy',
        '--preserve-digests',
        '--src-tls-verify=false',
        `docker://${registry.host}/${repository}:v1`,
        `oci:${target}:v1`,
      ],
    ],
  },
  {
    name: '@sigstore/oci',
    missing:
      !existsSync(join(here, 'node_modules', '@sigstore', 'oci')) &&
      'not installed; npm ci --prefix bench',
    push: (layout, repository) => [
      process.execPath,
      [side('sigstore-oci'), registry.host, repository, layout],
    ],
  },
  {
    // The floor: what no client on Node's own HTTP gets under.
    name: 'node:http',
    missing: !sides.includes('spindle') && 'it pulls what spindle has pushed',
    pulls: 'spindle',
    pull: (repository, target) => [
      process.execPath,
      [side('node-http'), `${registry.host}/${repository}:v1`, target],
    ],
  },
].filter((one) => sides.includes(one.name))

const MIB = 1024 * 1024
const CONTENTS = quick
  ? [
      { key: 'one', title: '1 × 10 MiB', count: 1, size: 10 * MIB },
      { key: 'many', title: '100 × 10 KiB', count: 100, size: 10 * 1024 },
    ]
  : [
      { key: 'one', title: '1 × 100 MiB', count: 1, size: 100 * MIB },
      { key: 'many', title: '2000 × 10 KiB', count: 2000, size: 10 * 1024 },
    ]
/** Assets of one application over Bindle. */
const MANY_FILES = quick ? 500 : 10_000
const STREAMED_MIB = quick ? 128 : 1024

async function measureTransfers() {
  const samples = new Map()
  const keep = (row, name, sample) => {
    const key = `${row}\n${name}`
    samples.set(key, [...(samples.get(key) ?? []), sample])
  }
  for (const content of CONTENTS) {
    for (let round = 0; round < rounds; round++) {
      // New in each round: skopeo remembers where it has pushed what, and mounts it from there.
      const layout = join(scratch, `layout-${content.key}-${round}`)
      writeLayout(layout, content.count, content.size)
      for (const one of SIDES) {
        if (one.missing || one.without?.[content.key]) continue
        const owner = (one.pulls ?? one.name).replace(/[^a-z]/g, '')
        const repository = `bench/${content.key}/${owner}/${round}`
        const target = join(scratch, 'pulled')
        for (const what of one.push === undefined ? [] : ['push', 'push again'])
          keep(
            `${content.title}, ${what}`,
            one.name,
            await measure(...one.push(layout, repository)),
          )
        if (one.pull === undefined) continue
        keep(`${content.title}, pull`, one.name, await measure(...one.pull(repository, target)))
        rmSync(target, { recursive: true, force: true })
        if (content.key === 'many' && canPart) {
          keep(
            `${content.title}, pull, a core each`,
            one.name,
            await measureApart(...one.pull(repository, target)),
          )
          rmSync(target, { recursive: true, force: true })
        }
        if (one.pullIntoMemory === undefined) continue
        keep(
          `${content.title}, pull into memory`,
          one.name,
          await measure(...one.pullIntoMemory(repository)),
        )
      }
      rmSync(layout, { recursive: true, force: true })
    }
  }
  for (const one of SIDES) {
    if (one.missing) leftOut.push(`${one.name}: ${one.missing}`)
    for (const [key, why] of Object.entries(one.without ?? {})) {
      leftOut.push(`${one.name}, ${CONTENTS.find((content) => content.key === key).title}: ${why}`)
    }
    if (one.pull === undefined) leftOut.push(`${one.name}, pull: it has none`)
    if (one.push === undefined) leftOut.push(`${one.name}, push: it is there to be compared with`)
  }
  if (!canPart) leftOut.push('a core each: it takes two, and taskset')

  const measured = SIDES.filter((one) => !one.missing)
  const rowsOf = [...new Set([...samples.keys()].map((key) => key.split('\n')[0]))]
  const value = (row, name, pick) => {
    const found = samples.get(`${row}\n${name}`)
    return found === undefined ? undefined : median(found.map(pick))
  }
  const seconds = (sample) => sample.seconds
  const fixed = (number, digits) => (number === undefined ? '–' : number.toFixed(digits))

  console.log(
    '\nSeconds, median. Command line tools: the whole process; libraries: the call, the process in brackets.',
  )
  console.log(
    formatTable(
      ['', ...measured.map((one) => one.name), 'spindle : oras', 'requests'],
      rowsOf.map((row) => {
        const ours = value(row, 'spindle', seconds)
        const oras = value(row, 'oras', seconds)
        return [
          row,
          ...measured.map((one) => {
            const inside = value(row, one.name, seconds)
            const wall = value(row, one.name, (sample) => sample.wall)
            return inside === wall ? fixed(inside, 2) : `${fixed(inside, 2)} (${fixed(wall, 2)})`
          }),
          ours === undefined || oras === undefined ? '–' : (ours / oras).toFixed(2),
          fixed(
            value(row, 'spindle', (sample) => sample.requests),
            0,
          ),
        ]
      }),
    ),
  )
  console.log('\nPeak resident memory of the process, MiB, median.')
  console.log(
    formatTable(
      ['', ...measured.map((one) => one.name)],
      rowsOf.map((row) => [
        row,
        ...measured.map((one) =>
          fixed(mebibytes(value(row, one.name, (sample) => sample.peak)), 0),
        ),
      ]),
    ),
  )
}

const mebibytes = (bytes) => (bytes === undefined ? undefined : bytes / MIB)

async function measureStreams() {
  const reference = `${registry.host}/bench/stream:v1`
  const rows = []
  for (const action of ['stream-push', 'stream-pull']) {
    const result = await measure(process.execPath, [
      side('spindle'),
      action,
      reference,
      String(STREAMED_MIB),
    ])
    rows.push([
      action,
      result.seconds.toFixed(2),
      mebibytes(result.peak).toFixed(0),
      mebibytes(result.peak - result.before).toFixed(0),
    ])
  }
  console.log(`\nA layer of ${STREAMED_MIB} MiB, streamed with a native hasher, never held.`)
  console.log(formatTable(['', 'seconds', 'peak MiB', 'above start MiB'], rows))
}

try {
  console.log(
    `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, ${rounds} rounds`,
  )
  if (only.includes('transfers') || only.includes('stream')) {
    registry = await startRegistry(scratch)
    if (only.includes('transfers')) await measureTransfers()
    if (only.includes('stream')) await measureStreams()
  }
  if (only.includes('distance')) {
    const { title, head, rows, missing } = await measureDistance({
      scratch,
      rounds,
      quick,
      hasCommand,
    })
    console.log(`\n${title}`)
    console.log(formatTable(head, rows))
    leftOut.push(...missing)
  }
  if (only.includes('bindle')) {
    const { title, head, rows, missing } = await measureBindle({ count: MANY_FILES, scratch })
    console.log(`\n${title}`)
    console.log(formatTable(head, rows))
    leftOut.push(...missing)
  }
  if (only.includes('digest')) {
    console.log('\nSHA-256 of 64 MiB, MiB/s, median.')
    const { rows, missing } = await measureDigests({ rounds: quick ? 1 : 5 })
    console.log(
      formatTable(
        ['', 'portable hasher', 'WebCrypto, at once', 'native stream', 'portable : native'],
        rows,
      ),
    )
    leftOut.push(...missing)
  }
  if (only.includes('components')) {
    console.log('\nA component, from its bytes to the first answer and per request, ms, median.')
    const options = { rounds: quick ? 1 : 5, requests: quick ? 10 : 200 }
    const { rows, missing } = await measureComponents(options)
    console.log(formatTable(['', 'spindle', 'jco', 'spindle : jco'], rows))
    leftOut.push(...missing)
  }
} finally {
  registry?.stop()
  rmSync(scratch, { recursive: true, force: true })
}
if (leftOut.length > 0) console.log(`\n${leftOut.map((line) => `- left out: ${line}`).join('\n')}`)
