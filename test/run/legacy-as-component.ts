import {
  componentEmbed,
  componentNew,
  parse,
  print,
} from '@bytecodealliance/jco-transpile/wasm-tools'

// The ABI of Spin 0.x and 1.x is that of components but for its names, so their tools can lay it out.
const WORLD = `package test:legacy;
world guest {
  import spin-config: interface {
    variant error { provider(string), invalid-key(string), invalid-schema(string), other(string) }
    get-config: func(key: string) -> result<string, error>;
  }
  import key-value: interface {
    variant error {
      store-table-full, no-such-store, access-denied, invalid-store, no-such-key, io(string)
    }
    open: func(name: string) -> result<u32, error>;
    get: func(store: u32, key: string) -> result<list<u8>, error>;
    set: func(store: u32, key: string, value: list<u8>) -> result<_, error>;
    get-keys: func(store: u32) -> result<list<string>, error>;
  }
  import wasi-outbound-http: interface {
    enum method { get, post, put, delete, patch, head, options }
    record outbound {
      method: method, uri: string, headers: list<tuple<string, string>>,
      params: list<tuple<string, string>>, body: option<list<u8>>
    }
    record response {
      status: u16, headers: option<list<tuple<string, string>>>, body: option<list<u8>>
    }
    enum http-error {
      success, destination-not-allowed, invalid-url, request-error, runtime-error, too-many-requests
    }
    request: func(req: outbound) -> result<response, http-error>;
  }
  import outbound-redis: interface { get: func(address: string, key: string) -> result<list<u8>>; }
  import sqlite: interface {
    variant value { integer(s64), real(f64), text(string), blob(list<u8>), null }
    variant error { no-such-database, access-denied, invalid-connection, database-full, io(string) }
    record row { values: list<value> }
    record query-result { columns: list<string>, rows: list<row> }
    open: func(name: string) -> result<u32, error>;
    execute: func(connection: u32, statement: string, parameters: list<value>)
      -> result<query-result, error>;
    close: func(connection: u32);
  }
  enum method { get, post, put, delete, patch, head, options }
  record request {
    method: method, uri: string, headers: list<tuple<string, string>>,
    params: list<tuple<string, string>>, body: option<list<u8>>
  }
  record response {
    status: u16, headers: option<list<tuple<string, string>>>, body: option<list<u8>>
  }
  export handle-http-request: func(req: request) -> response;
}`

/** A module of Spin 1.x as a component that other engines run. What it prints goes nowhere. */
export async function legacyAsComponent(module: Uint8Array): Promise<Uint8Array> {
  const text = (await print(module))
    .replaceAll('canonical_abi_realloc', 'cabi_realloc')
    .replaceAll('canonical_abi_free', 'unused')
  const core = await componentEmbed({ binary: await parse(text), witSource: WORLD })
  const preview1 = await componentEmbed({
    binary: await parse(
      '(module (func (export "fd_write") (param i32 i32 i32 i32) (result i32) i32.const 0))',
    ),
    witSource: 'package test:preview1; world adapter {}',
  })
  return componentNew(core, [['wasi_snapshot_preview1', preview1]])
}
