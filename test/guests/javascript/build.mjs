// Compiles guest.js to a component in .cache/guests, once for each state of its sources: some ten
// seconds. What it needs is not among Spindle's own dependencies: `npm ci --prefix
// test/guests/javascript`.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const cache = here('../../../.cache/guests')
const compiler = here('node_modules/@bytecodealliance/componentize-js')
// The interfaces as the engine was compiled with them; jco brings the same text under a later patch.
const INTERFACES = here('node_modules/@bytecodealliance/jco/lib/wit/builtin/0.2.12')
const PATCH = [/@0\.2\.12\b/g, '@0.2.3']

/** @returns {string | undefined} Where the component is; nothing where it is not and can't be made. */
export function findJavascriptGuest() {
  const hash = createHash('sha256')
  for (const name of ['guest.js', 'world.wit', 'package-lock.json', 'build.mjs'])
    hash.update(readFileSync(here(name)))
  const path = join(cache, `javascript-${hash.digest('hex').slice(0, 16)}.wasm`)
  if (existsSync(path)) return path
  if (!existsSync(compiler)) return undefined
  // In a process of its own, as the engine may be any, and from there others see it whole or not at all.
  execFileSync(process.execPath, [here('build.mjs'), path], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return path
}

async function build(path) {
  const { componentize } = await import('@bytecodealliance/componentize-js')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'building-'))
  try {
    const dependencies = join(folder, 'deps')
    cpSync(INTERFACES, dependencies, { recursive: true })
    for (const name of readdirSync(dependencies, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.wit')) continue
      const file = join(dependencies, name)
      writeFileSync(file, readFileSync(file, 'utf8').replace(...PATCH))
    }
    cpSync(here('world.wit'), join(folder, 'world.wit'))
    const { component } = await componentize({
      sourcePath: here('guest.js'),
      witPath: folder,
      worldName: 'guest',
    })
    writeFileSync(join(folder, 'guest.wasm'), component)
    renameSync(join(folder, 'guest.wasm'), path)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (process.argv[1] === here('build.mjs')) {
  const path = process.argv[2]
  if (path !== undefined) await build(path)
  else console.log(findJavascriptGuest() ?? 'not installed: npm ci --prefix test/guests/javascript')
}
