import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { readFileSync } from 'node:fs'

// Guests that answer with the headers that they were asked with.

const WIT = readFileSync(new URL('../guests/interfaces.wit', import.meta.url), 'utf8')

/** A bump allocator under the name of each ABI, and a handler of Spin's own old interface. */
const echo = (realloc: string, handler: string): string => `(module
  (memory (export "memory") 64)
  (global $top (mut i32) (i32.const 65536))
  (func (export "${realloc}") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "${handler}") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store (i32.const 1024) (i32.const 200))
    (i32.store (i32.const 1028) (i32.const 1))
    (i32.store (i32.const 1032) (local.get 3))
    (i32.store (i32.const 1036) (local.get 4))
    (i32.const 1024)))`

export async function legacyEcho(): Promise<Uint8Array> {
  return parse(echo('canonical_abi_realloc', 'handle-http-request'))
}

export async function inboundEcho(): Promise<Uint8Array> {
  const binary = await parse(echo('cabi_realloc', 'fermyon:spin/inbound-http#handle-request'))
  const world = 'package test:guest; world guest { export fermyon:spin/inbound-http; }'
  return componentNew(await componentEmbed({ binary, witSource: `${world}\n${WIT}` }), [])
}

const HTTP_3 = `package test:guest; world guest { export wasi:http/handler@0.3.0; }
package wasi:http@0.3.0 {
  interface types {
    variant error-code { internal-error(option<string>) }
    resource fields {}
    resource request { get-headers: func() -> fields; }
    resource response {
      new: static func(headers: fields, contents: option<stream<u8>>,
        trailers: future<result<option<fields>, error-code>>)
        -> tuple<response, future<result<_, error-code>>>;
    }
  }
  interface handler {
    use types.{request, response, error-code};
    handle: async func(request: request) -> result<response, error-code>;
  }
}`

const ASYNC = `(module
  (import "wasi:http/types@0.3.0" "[method]request.get-headers" (func $headers (param i32) (result i32)))
  (import "wasi:http/types@0.3.0" "[static]response.new" (func $response (param i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.3.0" "[future-new-1][static]response.new" (func $trailers (result i64)))
  (import "wasi:http/types@0.3.0" "[async-lower][future-write-1][static]response.new"
    (func $write (param i32 i32) (result i32)))
  (import "[export]wasi:http/handler@0.3.0" "[task-return]handle" (func $return (param i32 i32 i32 i32 i32)))
  (import "$root" "[waitable-set-new]" (func $set (result i32)))
  (import "$root" "[waitable-join]" (func $join (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "[async-lift]wasi:http/handler@0.3.0#handle") (param $request i32) (result i32)
    (local $ends i64) (local $writable i32) (local $waits i32)
    (local.set $ends (call $trailers))
    (local.set $writable (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
    (call $response (call $headers (local.get $request)) (i32.const 0) (i32.const 0)
      (i32.wrap_i64 (local.get $ends)) (i32.const 1024))
    (call $return (i32.const 0) (i32.load (i32.const 1024)) (i32.const 0) (i32.const 0) (i32.const 0))
    (if (i32.ne (call $write (local.get $writable) (i32.const 2048)) (i32.const -1))
      (then (return (i32.const 0))))
    (local.set $waits (call $set))
    (call $join (local.get $writable) (local.get $waits))
    (i32.or (i32.const 2) (i32.shl (local.get $waits) (i32.const 4))))
  (func (export "[callback][async-lift]wasi:http/handler@0.3.0#handle") (param i32 i32 i32) (result i32)
    (i32.const 0)))`

export async function asyncEcho(): Promise<Uint8Array> {
  const binary = await parse(ASYNC)
  return componentNew(await componentEmbed({ binary, witSource: HTTP_3 }), [])
}
