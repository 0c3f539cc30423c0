// jco's generator for where guests may wait, in a process of its own: warm it takes a third.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { $init, generate } from '@bytecodealliance/jco-transpile/component'

const [guest, folder, constants] = process.argv.slice(2)
const { ASYNC_WASI_EXPORTS: exports, ASYNC_WASI_IMPORTS: imports } = await import(constants)
const wasm = readFileSync(guest)
await $init
const started = performance.now()
const { files } = generate(wasm, {
  name: 'c',
  instantiation: { tag: 'async' },
  asyncMode: { tag: 'jspi', val: { imports, exports } },
  noTypescript: true,
  noNodejsCompat: true,
  base64Cutoff: 0,
})
const took = performance.now() - started
mkdirSync(folder, { recursive: true })
for (const [name, bytes] of files) if (!name.includes('/')) writeFileSync(join(folder, name), bytes)
console.log(JSON.stringify({ took }))
