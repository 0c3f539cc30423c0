import { bytesOfFile } from '../run/fixtures.ts'

/**
 * The files of an application that counts: one component its requests, by key-value, one its rows, by
 * SQLite.
 */
export const COUNTERS: ReadonlyArray<readonly [string, string | Uint8Array]> = [
  ['proxy.wasm', bytesOfFile('test/guests/proxy.wasm')],
  ['sqlite.wasm', bytesOfFile('test/guests/sqlite.wasm')],
  [
    'spin.toml',
    `spin_manifest_version = 2
[application]
name = "counters"
version = "1.0.0"
[[trigger.http]]
route = "/kv/..."
component = "keys"
[[trigger.http]]
route = "/default"
component = "rows"
[component.keys]
source = "proxy.wasm"
key_value_stores = ["default"]
[component.rows]
source = "sqlite.wasm"
sqlite_databases = ["default"]
`,
  ],
]
