// `npm run demo`: examples/hello goes to a registry and comes back, and every byte is compared.
//
// Without options it starts a registry of its own on a free port of this machine. `--registry URL`
// does it against yours, as `--registry https://ghcr.io/ann`, with the logins of this machine.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { buildLibrary, root } from './built.mjs'

const hello = join(root, 'examples', 'hello')

/** @returns {{ registry?: string }} */
function readOptions() {
  try {
    return parseArgs({ options: { registry: { type: 'string' } } }).values
  } catch (error) {
    console.error(`${error.message}\nusage: npm run demo -- [--registry https://HOST/NAMESPACE]`)
    process.exit(2)
  }
}

const options = readOptions()
buildLibrary()
const { copy, loadApp, push, pull } = await import('spindle')
const { createNodeHasher, createNodeKeychain, listen, readDirectory } = await import('spindle/node')
const { createRegistryHandler } = await import('spindle/serve')

/** Requests by method; writes are those that change the registry. */
function createCounter() {
  const counts = new Map()
  return {
    fetch: (request) => {
      counts.set(request.method, (counts.get(request.method) ?? 0) + 1)
      return fetch(request)
    },
    take: () => {
      const all = Object.fromEntries(counts)
      counts.clear()
      const { GET: _, HEAD: __, ...writes } = all
      const sum = (group) => Object.values(group).reduce((a, b) => a + b, 0)
      const list = Object.entries(all).map(([method, count]) => `${count} ${method}`)
      return { text: list.join(', ') || 'no request', writes: sum(writes) }
    },
  }
}

/** Bytes and blobs that went over the wire. */
function createMeter() {
  const blobs = new Map()
  return {
    onProgress: (event) => {
      if (event.type === 'blob') blobs.set(event.descriptor.digest, event)
    },
    take: () => {
      const sent = [...blobs.values()].filter((event) => event.status === 'done')
      const bytes = sent.reduce((sum, event) => sum + event.descriptor.size, 0)
      const text = `${sent.length} of ${blobs.size} blobs sent, ${bytes} bytes`
      blobs.clear()
      return { text, sent: sent.length }
    },
  }
}

async function timed(work) {
  const started = performance.now()
  const result = await work()
  return { result, time: `${(performance.now() - started).toFixed(0)} ms` }
}

function assert(holds, problem) {
  if (!holds) throw new Error(problem)
}

async function main(place) {
  const counter = createCounter()
  const meter = createMeter()
  const insecure = place.protocol === 'http:' ? [place.host] : []
  const remote = {
    fetch: counter.fetch,
    createHasher: createNodeHasher,
    insecure,
    onProgress: meter.onProgress,
    ...(place.own ? {} : { credentials: createNodeKeychain() }),
  }
  const tag = `demo-${Date.now().toString(36)}`
  const target = `${place.name}/spindle-hello:${tag}`

  const app = await loadApp(await readDirectory(hello))
  const bytes = app.components.reduce(
    (sum, { wasm, files }) =>
      [...files.values()].reduce((total, file) => total + (file.length ?? file.size), sum) +
      (wasm.length ?? wasm.size),
    0,
  )
  const count = app.components.reduce((sum, { files }) => sum + files.size, 0)
  console.log(
    `application  ${app.manifest.application.name}: ${app.components.length} component, ${count} files, ${bytes} bytes`,
  )

  const first = await timed(() => push(app, target, remote))
  const { descriptor } = first.result
  console.log(`pushed       ${first.result.reference}`)
  console.log(`             ${meter.take().text}; ${counter.take().text}; ${first.time}`)

  const again = await timed(() => push(app, target, remote))
  const second = meter.take()
  assert(again.result.descriptor.digest === descriptor.digest, 'the same files gave another digest')
  assert(second.sent === 0, `the second push sent ${second.sent} blobs again`)
  console.log(`pushed again ${second.text}; ${counter.take().text}; ${again.time}`)

  const mirror = `${place.name}/spindle-mirror:${tag}`
  const copied = await timed(() => copy(target, mirror, remote))
  assert(copied.result.digest === descriptor.digest, 'the copy has another digest')
  console.log(`copied       to ${mirror}`)
  console.log(`             ${meter.take().text}; ${counter.take().text}; ${copied.time}`)

  const folder = mkdtempSync(join(tmpdir(), 'spindle-demo-'))
  try {
    const by = `${mirror.slice(0, mirror.lastIndexOf(':'))}@${descriptor.digest}`
    const pulled = await timed(async () => {
      const app = await pull(by, remote)
      await writeOut(app, folder)
      return app
    })
    console.log(`pulled       ${by}`)
    console.log(`             ${counter.take().text}; ${pulled.time}`)
    const compared = await compare(app, folder)
    console.log(`compared     ${compared.files} files, ${compared.bytes} bytes: all the same`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function writeOut(app, folder) {
  for (const { id } of app.locked.components) {
    await writeFile(join(folder, `${id}.wasm`), await app.component(id))
    for (const [path, content] of await app.files(id)) {
      const target = join(folder, 'assets', id, path)
      await mkdir(dirname(target), { recursive: true })
      await writeFile(target, content)
    }
  }
}

/** What was written, against what the application was made of. */
async function compare(app, folder) {
  const seen = { files: 0, bytes: 0 }
  const same = async (path, content) => {
    const expected = Buffer.from(await new Response(content.stream?.() ?? content).arrayBuffer())
    const actual = await readFile(join(folder, path))
    assert(actual.equals(expected), `${path} came back different`)
    seen.files++
    seen.bytes += actual.length
  }
  for (const { id, wasm, files } of app.components) {
    await same(`${id}.wasm`, wasm)
    for (const [path, content] of files) await same(join('assets', id, path), content)
  }
  const written = readdirSync(folder, { recursive: true, withFileTypes: true })
  const count = written.filter((entry) => entry.isFile()).length
  assert(count === seen.files, `${count} files came back, not ${seen.files}`)
  return seen
}

let own
try {
  if (options.registry === undefined) own = await listen(createRegistryHandler())
  const url = new URL(
    own?.url ??
      (options.registry.includes('://') ? options.registry : `https://${options.registry}`),
  )
  const path = url.pathname.replace(/\/+$/, '')
  const name = `${url.host}${path === '' && own !== undefined ? '/demo' : path}`
  console.log(`registry     ${url.href}${own === undefined ? '' : ' (in this process)'}`)
  await main({ host: url.host, protocol: url.protocol, name, own: own !== undefined })
} catch (error) {
  console.error(`failed: ${error.message}`)
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause)
    console.error(`  caused by: ${cause.message}`)
  process.exitCode = 1
} finally {
  await own?.close()
}
