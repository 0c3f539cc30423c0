import type { InheritableConfiguration } from '../manifest/app-manifest.ts'

/** What an interface gives access to, by its name without a version. */
const INTERFACES: Readonly<Record<InheritableConfiguration, readonly string[]>> = {
  ai_models: ['fermyon:spin/llm'],
  allowed_outbound_hosts: [
    'fermyon:spin/http',
    'fermyon:spin/mqtt',
    'fermyon:spin/mysql',
    'fermyon:spin/postgres',
    'fermyon:spin/redis',
    'spin:mqtt/mqtt',
    'spin:mysql/mysql',
    'spin:postgres/postgres',
    'spin:redis/redis',
    'wasi:http/client',
    'wasi:http/outgoing-handler',
    'wasi:sockets/ip-name-lookup',
    'wasi:sockets/tcp',
    'wasi:sockets/tcp-create-socket',
    'wasi:sockets/udp',
    'wasi:sockets/udp-create-socket',
  ],
  environment: ['wasi:cli/environment'],
  files: ['wasi:filesystem/preopens'],
  key_value_stores: [
    'fermyon:spin/key-value',
    'spin:key-value/key-value',
    'wasi:keyvalue/atomics',
    'wasi:keyvalue/batch',
    'wasi:keyvalue/store',
  ],
  sqlite_databases: ['fermyon:spin/sqlite', 'spin:sqlite/sqlite'],
  variables: [
    'fermyon:spin/config',
    'fermyon:spin/variables',
    'spin:variables/variables',
    'wasi:config/runtime',
    'wasi:config/store',
  ],
}

const BY_INTERFACE = new Map(
  Object.entries(INTERFACES).flatMap(([capability, names]) =>
    names.map((name) => [name, capability] as const),
  ),
)

/**
 * Whether a dependency that inherits so much may use an interface. Of every version: Spin's own
 * adapter knows some versions only, and what it doesn't know reaches the host.
 *
 * @see {@link https://github.com/spinframework/spin/blob/main/crates/capabilities/src/lib.rs Spin, capability sets}
 */
export function isInherited(
  interfaceName: string,
  inherit: 'all' | readonly string[] | undefined,
): boolean {
  if (inherit === 'all') return true
  const capability = BY_INTERFACE.get(interfaceName.replace(/@.*$/, ''))
  return capability === undefined || (inherit ?? []).includes(capability)
}
