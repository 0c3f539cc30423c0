import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { createAppHandler, type AppHandlerOptions } from '../../src/run/index.ts'
import { bytesOfFile, pulledApp } from './fixtures.ts'

const HTTP = 'wasi:http/types@0.2.0'

/** Imports of a hostile guest, by the names that its code calls them. */
const IMPORTS = {
  fields: `"${HTTP}" "[constructor]fields" (func $fields (result i32))`,
  append: `"${HTTP}" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32))`,
  set: `"${HTTP}" "[method]fields.set" (func $set (param i32 i32 i32 i32 i32 i32))`,
  response: `"${HTTP}" "[constructor]outgoing-response" (func $response (param i32) (result i32))`,
  responseBody: `"${HTTP}" "[method]outgoing-response.body" (func $responseBody (param i32 i32))`,
  answer: `"${HTTP}" "[static]response-outparam.set" (func $answer (param i32 i32 i32 i32 i32 i32))`,
  request: `"${HTTP}" "[constructor]outgoing-request" (func $request (param i32) (result i32))`,
  requestBody: `"${HTTP}" "[method]outgoing-request.body" (func $requestBody (param i32 i32))`,
  path: `"${HTTP}" "[method]outgoing-request.set-path-with-query" (func $path (param i32 i32 i32 i32) (result i32))`,
  bodyStream: `"${HTTP}" "[method]outgoing-body.write" (func $bodyStream (param i32 i32))`,
  finish: `"${HTTP}" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32))`,
  options: `"${HTTP}" "[constructor]request-options" (func $options (result i32))`,
  write: `"wasi:io/streams@0.2.0" "[method]output-stream.write" (func $write (param i32 i32 i32 i32))`,
  check: `"wasi:io/streams@0.2.0" "[method]output-stream.check-write" (func $check (param i32 i32))`,
  stderr: `"wasi:cli/stderr@0.2.0" "get-stderr" (func $stderr (result i32))`,
  timer: `"wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $timer (param i64) (result i32))`,
  open: `"fermyon:spin/key-value@2.0.0" "[static]store.open" (func $open (param i32 i32 i32))`,
  get: `"fermyon:spin/key-value@2.0.0" "[method]store.get" (func $get (param i32 i32 i32 i32))`,
  keep: `"fermyon:spin/key-value@2.0.0" "[method]store.set" (func $keep (param i32 i32 i32 i32 i32 i32))`,
} as const

export interface HostileGuest {
  readonly uses: ReadonlyArray<keyof typeof IMPORTS>
  /** Of memory: results lie from 0, the guest's allocator gives 1024 again and again. */
  readonly pages?: number
  /** Beside memory and functions. */
  readonly more?: string
  /** What it does, with locals `$i $j $r $s`, and `$out` to answer with. */
  readonly code: string
}

/** `code` so many times. */
export function times(count: number, code: string, local = '$i'): string {
  const label = `$times${local.slice(1)}`
  return `(local.set ${local} (i32.const 0))
    (loop ${label} ${code}
      (local.set ${local} (i32.add (local.get ${local}) (i32.const 1)))
      (br_if ${label} (i32.lt_u (local.get ${local}) (i32.const ${count}))))`
}

const WORLD = `package test:guest; world guest { ${[
  HTTP,
  'wasi:io/streams@0.2.0',
  'wasi:cli/stderr@0.2.0',
  'wasi:clocks/monotonic-clock@0.2.0',
  'fermyon:spin/key-value@2.0.0',
]
  .map((name) => `import ${name};`)
  .join(' ')} export wasi:http/incoming-handler@0.2.0; }`

export async function hostileGuest({
  uses,
  pages = 2,
  more = '',
  code,
}: HostileGuest): Promise<Uint8Array> {
  const core = await parse(`(module ${uses.map((name) => `(import ${IMPORTS[name]})`).join('\n')}
    (memory (export "memory") ${pages}) ${more}
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "wasi:http/incoming-handler@0.2.0#handle") (param $in i32) (param $out i32)
      (local $i i32) (local $j i32) (local $r i32) (local $s i32) ${code}))`)
  const interfaces = new TextDecoder().decode(bytesOfFile('test/guests/attacks.wit'))
  const embedded = await componentEmbed({
    binary: core,
    witSource: `${WORLD}\n${interfaces}`,
    stringEncoding: 'utf8',
  })
  return componentNew(embedded, [])
}

export const MiB: number = 1024 * 1024

/** What an attack comes to: the answer, the log, and how much more memory the process has had. */
export interface Attack {
  readonly status: number
  readonly log: string
}

/** One request to a hostile guest, whose request may take 64 MiB where nothing else is said. */
export async function attack(wasm: Uint8Array, options: AppHandlerOptions = {}): Promise<Attack> {
  const log: string[] = []
  const app = pulledApp({ guest: { wasm, metadata: { key_value_stores: ['default'] } } }, [
    { route: '/...', component: 'guest' },
  ])
  const handler = await createAppHandler(app, {
    maxMemory: 64 * MiB,
    onLog: ({ stream, text }) => void (stream === 'host' && log.push(text)),
    ...options,
  })
  const response = await handler.fetch(new Request('http://app.example/'))
  await response.arrayBuffer().catch(() => {})
  return { status: response.status, log: log.join('\n') }
}

/** What the log says of a request beyond its budget: the limit, and how to raise it. */
export const BEYOND =
  /more than the limit of \d+ bytes of memory.*maxMemory.*--max-memory.*ERR_LIMIT_EXCEEDED/

/** The same with WASI 0.3: `imports` are core imports, as bindings name them; `handle` is called once. */
export async function hostileGuest3({
  imports,
  pages = 2,
  code,
}: {
  readonly imports: readonly string[]
  readonly pages?: number
  /** With locals `$i $j $r $s` and `$l` of 64 bits; at its end the guest has exited without a response. */
  readonly code: string
}): Promise<Uint8Array> {
  const handle = '[async-lift]wasi:http/handler@0.3.0#handle'
  const core = await parse(`(module ${imports.map((text) => `(import ${text})`).join('\n')}
    (memory (export "memory") ${pages})
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "${handle}") (param $in i32) (result i32)
      (local $i i32) (local $j i32) (local $r i32) (local $s i32) (local $l i64) ${code} (i32.const 0))
    (func (export "[callback]${handle}") (param i32 i32 i32) (result i32) (i32.const 0)))`)
  const world = `package test:guest; world guest { ${[
    'wasi:http/types@0.3.0',
    'wasi:http/client@0.3.0',
    'wasi:cli/stdout@0.3.0',
    'wasi:clocks/monotonic-clock@0.3.0',
    'spin:key-value/key-value@3.0.0',
  ]
    .map((name) => `import ${name};`)
    .join(' ')} export wasi:http/handler@0.3.0; }`
  const interfaces = new TextDecoder().decode(bytesOfFile('test/guests/interfaces-3.wit'))
  const binary = await componentEmbed({
    binary: core,
    witSource: `${world}\n${interfaces}`,
    stringEncoding: 'utf8',
  })
  return componentNew(binary, [])
}
