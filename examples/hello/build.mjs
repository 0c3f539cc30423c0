// Compiles src/hello.c to hello.wasm, which is checked in: only who changes the source needs this.
// Needs clang and lld with the wasm32 target (Debian: `apt-get install clang-16 lld-16`), and
// `npm install --no-save @bytecodealliance/jco-transpile@0.10.0` for the component encoder.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hello-'))
try {
  const core = join(folder, 'core.wasm')
  const flags = '--target=wasm32-unknown-unknown -Os -std=c17 -Wall -Werror -nostdlib -mbulk-memory'
  const linker = '-Wl,--no-entry,--strip-all,-z,stack-size=16384'
  execFileSync(
    process.env.CLANG ?? 'clang-16',
    [...flags.split(' '), linker, '-o', core, here('src/hello.c')],
    {
      stdio: 'inherit',
    },
  )
  const witSource = readFileSync(here('src/world.wit'), 'utf8')
  const embedded = await componentEmbed({ binary: readFileSync(core), witSource })
  const component = await componentNew(embedded, [])
  writeFileSync(here('hello.wasm'), component)
  console.log(`hello.wasm: ${component.length} bytes`)
} finally {
  rmSync(folder, { recursive: true })
}
