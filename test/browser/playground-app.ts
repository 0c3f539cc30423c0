import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import type { FetchHandler } from '../../src/types.ts'
import { push } from '../../src/verbs/push.ts'
import { bytesOfFile } from '../run/fixtures.ts'

const MANIFEST = `spin_manifest_version = 2

[application]
name = "probe"
version = "1.2.3"

[variables]
word = { required = true }
token = { required = true, secret = true }

[[trigger.http]]
route = "/..."
component = "probe"

[component.probe]
source = "probe.wasm"
files = ["pages/*"]
key_value_stores = ["default"]
allowed_outbound_hosts = ["http://127.0.0.1:*"]

[component.probe.variables]
word = "{{ word }} {{ token }}"
`

/** Without what has to be given before it starts. */
const FREE = MANIFEST.replace('{ required = true }', '{ default = "fine" }').replace(
  '{ required = true, secret = true }',
  '{ default = "" }',
)

/** An application that does what it is asked by path: loops, logs, stores, goes out. */
export function probeApp({ needsVariables = false } = {}): ReturnType<typeof loadApp> {
  return loadApp({
    'spin.toml': needsVariables ? MANIFEST : FREE,
    'probe.wasm': bytesOfFile('test/guests/proxy.wasm'),
    'pages/one.txt':
      'one of its files, long enough to stand beside the lock and not in it. '.repeat(9),
  })
}

/** A component that asks another one, which travels beside it. */
export function composedApp(): ReturnType<typeof loadApp> {
  return loadApp({
    'spin.toml': `spin_manifest_version = 2

[application]
name = "asker"

[[trigger.http]]
route = "/..."
component = "asker"

[component.asker]
source = "asker.wasm"

[component.asker.dependencies]
"test:words/words@1.2.0" = { path = "words.wasm" }
`,
    'asker.wasm': bytesOfFile('test/guests/asker.wasm'),
    'words.wasm': bytesOfFile('test/guests/words.wasm'),
  })
}

/** A registry for pages of `origin` that has the application. */
export async function registryWithProbe(
  origin: string,
  options: { needsVariables?: boolean } = {},
): Promise<{ registry: FetchHandler; digest: string }> {
  const registry = createRegistryHandler({ cors: { origins: [origin] } })
  const { descriptor } = await push(await probeApp(options), 'registry.test/team/probe:1', {
    fetch: registry.fetch,
  })
  return { registry, digest: descriptor.digest }
}
