// Compiles the guests to the *.wasm beside them, which are checked in: only who changes one needs
// this. Needs clang and lld with the wasm32 targets, and wasi-libc for wagi.c:
// `apt-get install clang-16 lld-16 wasi-libc libclang-rt-16-dev-wasm32`.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const clang = process.env.CLANG ?? 'clang-16'
const folder = mkdtempSync(join(tmpdir(), 'guests-'))

const BARE =
  '--target=wasm32-unknown-unknown -Os -std=c17 -Wall -Wno-unused-function -Werror -nostdlib -mbulk-memory -Wl,--no-entry,--strip-all,-z,stack-size=16384'
const WASI = '--target=wasm32-wasi -Os -Wl,--strip-all'

function compile(name, flags, source = here(`${name}.c`)) {
  const output = join(folder, `${name}.wasm`)
  execFileSync(clang, [...flags.split(' '), '-I', here('.'), '-o', output, source], {
    stdio: 'inherit',
  })
  return readFileSync(output)
}

async function encode(name, core, witSource, stringEncoding = 'utf8') {
  const binary = await componentEmbed({ binary: core, witSource, stringEncoding })
  write(name, await componentNew(binary, []))
}

/** The core module of a component, with the section that says its world. */
async function embed(name, core, witSource) {
  write(name, await componentEmbed({ binary: core, witSource }))
}

const witOf = (world) =>
  `package test:guest; world guest { ${world} }\n${readFileSync(here('interfaces.wit'), 'utf8')}`

const newerWit = (world) =>
  `package test:guest; world guest { ${world} }\n${readFileSync(here('interfaces-3.wit'), 'utf8')}`

/** The newer interfaces, which are in a file of their own: the packages differ in their versions only. */
function newer(name, core, world) {
  return encode(name, core, newerWit(world))
}

function component(name, world) {
  return encode(name, compile(name, BARE), witOf(world))
}

/** The same guest as it was in the draft of 10 November 2023, which has all that it uses. */
async function november(name, world) {
  const date = (text) => text.replaceAll('@0.2.0', '@0.2.0-rc-2023-11-10')
  const source = join(folder, `${name}-draft.c`)
  writeFileSync(source, date(readFileSync(here(`${name}.c`), 'utf8')))
  const core = compile(`${name}-draft`, BARE, source)
  await encode(`${name}-draft`, core, date(witOf(world)))
  await embed(`${name}-draft-core`, core, date(witOf(world)))
}

function write(name, bytes) {
  writeFileSync(here(`${name}.wasm`), bytes)
  console.log(`${name}.wasm: ${bytes.length} bytes`)
}

/** For lanes that have no files: the example as text. */
function embedExample() {
  const text = readFileSync(here('../../examples/hello/hello.wasm')).toString('base64')
  writeFileSync(
    here('hello-base64.ts'),
    `// Made by test/guests/build.mjs of examples/hello/hello.wasm.\nexport const HELLO =\n  '${text}'\n`,
  )
}

try {
  const proxy = `import wasi:cli/environment@0.2.0; import wasi:cli/exit@0.2.0;
    import wasi:cli/stderr@0.2.0; import wasi:clocks/monotonic-clock@0.2.0;
    import wasi:filesystem/preopens@0.2.0; import wasi:http/outgoing-handler@0.2.0;
    import fermyon:spin/variables@2.0.0; import fermyon:spin/key-value@2.0.0;
    import fermyon:spin/sqlite@2.0.0; export wasi:http/incoming-handler@0.2.0;`
  await component('proxy', proxy)
  await embed('proxy-core', compile('proxy', BARE), witOf(proxy))
  await november('proxy', proxy)
  await encode('draft', compile('draft', BARE), readFileSync(here('draft.wit'), 'utf8'))
  await encode('values', compile('values', BARE), readFileSync(here('values.wit'), 'utf8'))
  await component('hostile', 'export wasi:http/incoming-handler@0.2.0;')
  await component('sqlite', 'import fermyon:spin/sqlite@2.0.0; export fermyon:spin/inbound-http;')
  const sqlite3 = readFileSync(here('sql.wit'), 'utf8')
  await encode(
    'sql',
    compile('sql', BARE),
    `${witOf(`import spin:sqlite/sqlite@3.1.0; export fermyon:spin/inbound-http;`)}\n${sqlite3}`,
  )
  await component('inbound', 'export fermyon:spin/inbound-http;')
  await embed('inbound-core', compile('inbound', BARE), witOf('export fermyon:spin/inbound-http;'))
  await component(
    'command',
    `import wasi:cli/environment@0.2.0; import wasi:cli/stdin@0.2.0; import wasi:cli/stdout@0.2.0;
     export wasi:cli/run@0.2.0;`,
  )
  const words = readFileSync(here('composed.wit'), 'utf8')
  const withWords = (world) => `${witOf(world)}\n${words}`
  await encode(
    'asker',
    compile('asker', BARE),
    withWords('import test:words/words@1.2.0; export fermyon:spin/inbound-http;'),
  )
  await encode(
    'words',
    compile('words', BARE),
    withWords(`import wasi:cli/environment@0.2.0; import wasi:filesystem/preopens@0.2.0;
      import fermyon:spin/variables@2.0.0; export test:words/words@1.2.0;`),
  )
  const plain = `import wasi:clocks/monotonic-clock@0.3.0; import wasi:cli/stdout@0.3.0;
    import wasi:filesystem/preopens@0.3.0; import wasi:http/client@0.3.0;
    export wasi:http/handler@0.3.0;`
  const service = `${plain}
    import spin:variables/variables@3.0.0; import spin:key-value/key-value@3.0.0;`
  await newer('async', compile('async', BARE), service)
  await embed('async-core', compile('async', BARE), newerWit(service))
  await newer('stackful', compile('stackful', `${BARE} -DSTACKFUL`, here('async.c')), service)
  const withoutSpin = (flags) =>
    compile('plain', `${BARE} -DPLAIN ${flags}`.trim(), here('async.c'))
  await newer('async-plain', withoutSpin(''), plain)
  await newer('stackful-plain', withoutSpin('-DSTACKFUL'), plain)
  await newer(
    'middleware',
    compile('middleware', BARE),
    'import wasi:http/handler@0.3.0; export wasi:http/handler@0.3.0;',
  )
  await encode('services', compile('services', BARE), readFileSync(here('services.wit'), 'utf8'))
  await encode('types', compile('types', BARE), readFileSync(here('types.wit'), 'utf8'))
  const strings = readFileSync(here('strings.wit'), 'utf8')
  await encode('strings-utf16', compile('strings', BARE), strings, 'utf16')
  const latin = compile('strings-latin1', `${BARE} -DLATIN`, here('strings.c'))
  await encode('strings-latin1', latin, strings, 'compact-utf16')
  write('legacy', compile('legacy', BARE))
  write('wagi', compile('wagi', WASI))
  await embed(
    'mixed',
    compile('mixed', `${WASI} -mexec-model=reactor`),
    witOf(`import wasi:http/types@0.2.0; import fermyon:spin/variables@2.0.0;
      import fermyon:spin/key-value@2.0.0; export wasi:http/incoming-handler@0.2.0;`),
  )
  await embed('program', compile('program', WASI), witOf('import fermyon:spin/variables@2.0.0;'))
  embedExample()
} finally {
  rmSync(folder, { recursive: true })
}
