import { randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createBindleClient, formatKeyring } from '../dist/bindle.js'
import { measure } from './process.mjs'

/** The limit that a push of many assets was known to break: "too many open files". */
const OPEN_FILES = 128
/** So little that what grows with requests would end it, and what is garbage does not look like need. */
const BOUNDED_HEAP = ['--max-old-space-size=48', '--max-semi-space-size=2']
const ID = 'many/1.0.0'
const KIB = 1024

const here = fileURLToPath(new URL('.', import.meta.url))
const peer = [
  process.env.BINDLE_PEER,
  join(
    process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
    'spindle-peers',
    'bindle-peer-0.9.1',
  ),
].find((path) => path !== undefined && existsSync(path))

/** A command with as many open files as `ulimit -n` gives it, in the very process that is measured. */
const limited = (command, args, limit) => [
  'sh',
  ['-c', `ulimit -n ${limit}; exec "$@"`, 'sh', command, ...args],
]

/**
 * An application of very many small files: prepared, pushed over HTTP to our server, pulled and
 * compared, all of it with few open files; beside the reference client, to the same server.
 */
export async function measureBindle({ count, scratch }) {
  const source = join(scratch, 'many')
  writeApp(source, count)
  const rows = []
  const keep = (side, step, sample) =>
    rows.push([
      `${side}, ${step}`,
      sample.seconds.toFixed(2),
      (sample.peak / KIB / KIB).toFixed(0),
      sample.before === undefined ? '–' : ((sample.peak - sample.before) / KIB / KIB).toFixed(0),
      sample.requests?.toString() ?? '–',
      sample.reports === undefined ? '–' : String(sample.reports),
      sample.silence === undefined ? '–' : sample.silence.toFixed(0),
    ])
  const ours = async (...args) =>
    measure(
      ...limited(
        process.execPath,
        [...BOUNDED_HEAP, join(here, 'sides', 'bindle.mjs'), ...args],
        OPEN_FILES,
      ),
    )

  const staging = join(scratch, 'staging')
  keep('spindle', 'prepare', await ours('prepare', source, staging))
  const pulled = join(scratch, 'pulled')
  await served(join(scratch, 'server'), async (url) => {
    keep('spindle', 'push', await ours('push', source, url))
    keep('spindle', 'push again', await ours('push', source, url))
    keep('spindle', 'pull', await ours('pull', pulled, url, ID))
  })
  compareFolders(join(source, 'static'), pulled)
  rmSync(pulled, { recursive: true, force: true })

  const missing = []
  if (peer === undefined) missing.push('reference client of Bindle: `.ci/run` compiles it')
  else
    await served(join(scratch, 'peer-server'), async (url) => {
      const keyring = join(scratch, 'keyring.toml')
      writeFileSync(keyring, formatKeyring(await createBindleClient(url).keys()))
      const theirs = async (step, ...args) => {
        process.env.BINDLE_URL = url
        process.env.BINDLE_KEYRING = keyring
        try {
          keep('reference', step, await measure(...limited(peer, args, OPEN_FILES)))
        } catch (error) {
          missing.push(`reference, ${step}, with ${OPEN_FILES} open files: ${reasonOf(error)}`)
          rmSync(pulled, { recursive: true, force: true })
          keep('reference, no limit', step, await measure(peer, args))
        }
      }
      await theirs('push', 'push', ID, staging)
      await theirs('push again', 'push', ID, staging)
      await theirs('pull', 'get', ID, pulled)
    })
  rmSync(pulled, { recursive: true, force: true })
  const head = ['', 'seconds', 'peak MiB', 'above start', 'requests', 'reports', 'silence, ms']
  return {
    title: `An application of ${count} files of 1 KiB, ulimit -n ${OPEN_FILES}; of spindle's heap, 48 MiB.`,
    head,
    rows,
    missing,
  }
}

function writeApp(folder, count) {
  mkdirSync(join(folder, 'static'), { recursive: true })
  writeFileSync(
    join(folder, 'spin.toml'),
    `spin_version = "1"
name = "many"
version = "1.0.0"
trigger = { type = "http" }
[[component]]
id = "web"
source = "web.wasm"
files = [{ source = "static", destination = "/" }]
[component.trigger]
route = "/..."
`,
  )
  writeFileSync(join(folder, 'web.wasm'), Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))
  for (let index = 0; index < count; index++)
    writeFileSync(join(folder, 'static', `${index}.bin`), randomBytes(KIB))
}

function compareFolders(expected, actual) {
  const names = readdirSync(expected).sort()
  const same =
    names.join() === readdirSync(actual).sort().join() &&
    names.every((name) =>
      readFileSync(join(expected, name)).equals(readFileSync(join(actual, name))),
    )
  if (!same) throw new Error('the files that came back are not those that went')
}

/** Our server over a folder, with few open files too, while `work` goes on. */
async function served(folder, work) {
  const args = ['--address', '127.0.0.1:0', '--directory', folder, '--unauthenticated', '--json']
  const server = spawn(
    ...limited(
      process.execPath,
      [join(here, '..', 'dist', 'bindle-server.js'), ...args],
      OPEN_FILES,
    ),
    {
      env: { ...process.env, XDG_CONFIG_HOME: `${folder}-config` },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  const ended = new Promise((resolve) => server.once('exit', resolve))
  try {
    let said = ''
    for await (const chunk of server.stdout) {
      said += chunk
      if (said.trimEnd().endsWith('}')) break
    }
    await work(JSON.parse(said).url)
  } finally {
    server.kill('SIGINT')
    await ended
  }
}

function reasonOf(error) {
  const lines = error.message.split('\n').filter((line) => line.trim() !== '')
  return lines.find((line) => /too many open files/i.test(line))?.trim() ?? lines.at(-1)
}
