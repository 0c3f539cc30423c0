import type { FetchLike } from '../../types.ts'
import type { Budget } from '../budget.ts'
import type { HostImports } from '../component/abi/host-imports.ts'
import type { HostInterface } from '../component/abi/items.ts'
import type { RunComponent } from '../app/run-app.ts'
import { createKeyValueHosts, type OpenKeyValue } from './spin/key-value.ts'
import { createLegacyHttp } from './spin/outbound-http.ts'
import { createSqliteHosts } from './spin/sqlite.ts'
import type { OpenSqlite } from './spin/sqlite-database.ts'
import { createVariableHosts, type Variables } from './spin/variables.ts'
import { createCli, type CliOptions } from './wasi/cli.ts'
import { monotonicClock, timezone, wallClock } from './wasi/clocks.ts'
import type { DirectoryNode } from './wasi/file-system.ts'
import { createFilesystem } from './wasi/filesystem.ts'
import { draft20231018, draft20231110, outgoing20231018 } from './wasi/http-drafts.ts'
import { createOutgoingHandler } from './wasi/http-outgoing.ts'
import { createHttpTypes } from './wasi/http-types.ts'
import { ioError, ioPoll, ioStreams } from './wasi/io.ts'
import { insecureRandom, insecureSeed, random } from './wasi/random.ts'
import { sockets } from './wasi/sockets.ts'
import { createBodyPipe } from './wasi/body-pipe.ts'
import { createHosts3 } from './wasi3/hosts.ts'

export interface HostOptions {
  /** Pays for what the host holds for the component. */
  readonly budget: Budget
  readonly component: RunComponent
  readonly cli: CliOptions
  readonly files: DirectoryNode | undefined
  readonly variables: Variables
  readonly keyValue: OpenKeyValue
  readonly sqlite: OpenSqlite | undefined
  /** Rejects with `ERR_POLICY_REJECTED` what the component may not reach. */
  readonly send: FetchLike
  /** Throws once the request's time is over. */
  readonly assertInTime: () => void
  /** Called with what is to be done when the guest has ended. */
  readonly atEnd: (work: () => void) => void
  /** Whether guests can wait; without it their output is held for them. */
  readonly jspi: boolean
  /** The user's own, by full name or without version: they win. */
  readonly interfaces: Readonly<Record<string, HostInterface>>
}

const DRAFTS = ['0.2.0-rc-2023-10-18', '0.2.0-rc-2023-11-10'] as const

/** `0.2` and `0.3` for any patch of them, the draft's own version for the two that Spin still links. */
function wasiVersion(
  version: string | undefined,
): '0.2' | '0.3' | (typeof DRAFTS)[number] | undefined {
  if (version === undefined) return undefined
  if (/^0\.2\.\d+$/.test(version)) return '0.2'
  if (/^0\.3\.(?:\d+|0-rc-2026-03-15)$/.test(version)) return '0.3'
  return DRAFTS.find((draft) => draft === version)
}

// Spin links these for every component, used or not. Without the user's own, a call fails.
const LINKABLE =
  /^(?:fermyon:spin\/|spin:(?:key-value|variables|sqlite|redis|mysql|postgres|mqtt)\/|wasi:otel\/)/

const NOTHING: HostInterface = { functions: {} }

type Interfaces = Readonly<Record<string, HostInterface>>

/** Made when a component asks for it, and then once: a request uses few of them. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}

const io: Interfaces = {
  'wasi:io/error': ioError,
  'wasi:io/poll': ioPoll,
  'wasi:io/streams': ioStreams,
}
const clocks: Interfaces = {
  'wasi:clocks/monotonic-clock': monotonicClock,
  'wasi:clocks/wall-clock': wallClock,
  'wasi:clocks/timezone': timezone,
}
const randoms: Interfaces = {
  'wasi:random/random': random,
  'wasi:random/insecure': insecureRandom,
  'wasi:random/insecure-seed': insecureSeed,
}

/** Everything that one instance of a component may import. Made for each instance: some of it has state. */
export function createHosts(options: HostOptions): HostImports {
  const { component, send, budget } = options
  const pipe = { buffered: !options.jspi, ledger: budget.bodies }
  const types = once(() => createHttpTypes(() => createBodyPipe(pipe), budget))
  const outgoing = once(() => createOutgoingHandler(send, budget))
  const packages: Readonly<Record<string, () => Interfaces>> = {
    'wasi:io': () => io,
    'wasi:clocks': () => clocks,
    'wasi:random': () => randoms,
    'wasi:http': once(() => ({
      'wasi:http/types': types(),
      'wasi:http/outgoing-handler': outgoing(),
    })),
    'wasi:cli': once(() => createCli(options.cli)),
    'wasi:filesystem': once(() => createFilesystem(options.files)),
    'wasi:sockets': () => sockets,
  }
  const ended = once(() => {
    const abort = new AbortController()
    options.atEnd(() => abort.abort())
    return abort.signal
  })
  const wasi3 = once(() => createHosts3(options))
  const spin = once((): Interfaces => ({
    ...createVariableHosts(component, options.variables),
    ...createKeyValueHosts(component.keyValueStores, options.keyValue, budget),
    // Without any database a call is refused by name, as those of interfaces that are only linked.
    ...(options.sqlite !== undefined &&
      createSqliteHosts(component.sqliteDatabases, options.sqlite, {
        atEnd: options.atEnd,
        limits: {
          assertInTime: options.assertInTime,
          charge: (bytes) => budget.charge(bytes),
          release: (bytes) => budget.release(bytes),
          get free() {
            return budget.limit - budget.held
          },
        },
      })),
    'fermyon:spin/http': createLegacyHttp(send, budget, ended),
  }))
  const drafts: Readonly<Record<string, () => HostInterface>> = {
    'wasi:http/types@0.2.0-rc-2023-10-18': () => draft20231018(types(), budget),
    'wasi:http/outgoing-handler@0.2.0-rc-2023-10-18': () => outgoing20231018(outgoing()),
    'wasi:http/types@0.2.0-rc-2023-11-10': () => draft20231110(types()),
  }
  const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
    Object.hasOwn(table, key) ? table[key] : undefined
  return (name) => {
    const [base = '', version] = name.split('@', 2)
    const given = own(options.interfaces, name) ?? own(options.interfaces, base)
    if (given !== undefined) return { ...given, inTurn: true }
    const draft = own(drafts, name)
    if (draft !== undefined) return draft()
    const wanted = wasiVersion(version)
    if (wanted === '0.3') return own(wasi3(), base)
    if (wanted !== undefined) {
      const [owner = ''] = base.split('/', 1)
      return own(own(packages, owner)?.() ?? {}, base)
    }
    return own(spin(), name) ?? (LINKABLE.test(name) ? NOTHING : undefined)
  }
}
