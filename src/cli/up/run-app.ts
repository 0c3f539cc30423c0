import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { SpindleError } from '../../errors.ts'
import { createAppHandler } from '../../run/app-handler.ts'
import type { OnLog } from '../../run/host/logs.ts'
import { runAppOf } from '../../run/app/run-app.ts'
import { createWorkerHandler, type WorkerLike } from '../../run/web-worker/worker-handler.ts'
import type { App } from '../../spin/source/app.ts'
import type { PulledApp } from '../../spin/artifact/pulled-app.ts'
import type { FetchHandler } from '../../types.ts'
import { type AppState, type FirstState, openAppState } from '../../node/state/app-state.ts'
import { startAppThread } from '../../node/app-thread.ts'
import { clientAddress } from '../../node/listen/received-request.ts'
import { nonEmpty } from '../../node/files/environment.ts'
import type { OutboundFetchOptions } from '../../node/fetch/outbound-fetch.ts'
import { readProxyEnvironment } from '../../node/fetch/proxy.ts'
import type { AppPlace } from '../app/app-source.ts'
import { readVariables, undeclaredVariables } from './app-variables.ts'
import { type Address, addressOption, sizeOption, variableOf } from '../terminal/arguments.ts'
import { type ComponentLogs, createComponentLogs, type LogFolder } from './component-logs.ts'
import { CommandError, type CliIo, UsageError } from '../terminal/io.ts'
import type { ListenFlags } from '../serve/listen-flags.ts'
import { type OpenFlags, openApp } from '../app/open-app.ts'
import { createOutput } from '../terminal/output.ts'
import { createReloader, type Reloader } from './reload-app.ts'
import { DEFAULT_TIMEOUT, MAX_HEADER_SIZE } from './run-flags.ts'
import { readRuntimeConfig, type RuntimeConfig } from './runtime-config.ts'
import { serveUntilStopped } from '../serve/serve-until-stopped.ts'
import { componentIds, describeRoutes, narrowApp } from './start-up.ts'
import {
  describeState,
  readFirstState,
  stateFiles,
  type StateFlags,
  storeInFiles,
} from './state-flags.ts'
import { readTls } from '../serve/tls-files.ts'

/** Flags of `up` and `registry run`. */
export interface RunFlags extends OpenFlags, ListenFlags, StateFlags {
  readonly runtimeConfigFile?: string
  /** Bytes. */
  readonly http1MaxBufSize?: number
  readonly listen?: Address
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly allowHost?: readonly string[]
  readonly env?: ReadonlyMap<string, string>
  readonly variable?: readonly string[]
  readonly componentId?: readonly string[]
  readonly quiet?: boolean
  readonly follow?: readonly string[]
  /** Empty for none. */
  readonly logDir?: string
  readonly truncateLogs?: boolean
  /** Bytes. */
  readonly maxMemory?: number
  /** Bytes. */
  readonly maxInstanceMemory?: number
  /** Milliseconds; `false` for no limit. */
  readonly timeout?: number | false
  readonly outboundProxy?: boolean
}

interface StartOptions {
  readonly config: RuntimeConfig
  /** `undefined` for memory. */
  readonly stateDir: string | undefined
  readonly first: FirstState
  readonly onLog: OnLog
}

interface Running extends FetchHandler {
  /** The initial state in memory, stored before each start. */
  readonly first: FirstState
  readonly lines: (url: string) => string[]
  close(): Promise<void>
}

const DEFAULT_ADDRESS: Address = { host: '127.0.0.1', port: 3000 }
/** Next to a local manifest. Other applications have no state folder by default. */
const DEFAULT_STATE = '.spin'

/** Runs an application until the user stops the command. */
export async function runApp(place: AppPlace, flags: RunFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const address =
    flags.listen ?? variableOf(io, 'SPIN_HTTP_LISTEN_ADDR', addressOption) ?? DEFAULT_ADDRESS
  const limits: ListenFlags = {
    ...flags,
    maxHeaderSize:
      flags.maxHeaderSize ??
      flags.http1MaxBufSize ??
      variableOf(io, 'SPIN_HTTP1_MAX_BUF_SIZE', sizeOption) ??
      MAX_HEADER_SIZE,
  }
  const path = (given: string | undefined, name: string): string | undefined => {
    const text = given ?? nonEmpty(io.env[name])
    return text === undefined ? undefined : resolve(io.cwd, text)
  }
  const tls = await readTls(
    path(flags.tlsCert, 'SPIN_TLS_CERT'),
    path(flags.tlsKey, 'SPIN_TLS_KEY'),
  )
  const config = await readRuntimeConfig(flags.runtimeConfigFile, io)
  const stateDir = stateFolder(place, flags, config, io)
  const logDir = logFolder(stateDir, flags, config, io)
  if (flags.truncateLogs === true && logDir === undefined)
    throw new UsageError('--truncate-logs has no effect without a log folder: give --log-dir')
  if (stateDir !== undefined && existsSync(join(stateDir, 'key-value')))
    output.warn(
      `${join(stateDir, 'key-value')} holds values of an earlier version, which are not read: remove the folder`,
    )
  let first = await readFirstState(flags, io)
  let logs: ComponentLogs | undefined
  let running: Running | undefined
  let reloader: Reloader | undefined
  try {
    const app = await openApp(place, flags, io, output)
    assertComponents(app, flags.follow ?? [], '--follow')
    logs = await createComponentLogs(io, {
      follow: flags.quiet === true ? [] : flags.follow,
      folder: logDir,
      truncate: flags.truncateLogs ?? false,
    })
    const { onLog } = logs
    const start = async (wanted: App | PulledApp): Promise<Running> => {
      const next = await startApp(wanted, place, flags, io, { config, stateDir, first, onLog })
      // State in files is not stored again after a reload.
      first = next.first
      return next
    }
    undeclaredVariables(flags.variable ?? [], runAppOf(app).variables).forEach(output.warn)
    let current = (running = await start(app))
    const handler: FetchHandler = { fetch: (request) => current.fetch(request) }
    await serveUntilStopped(
      handler,
      { ...address, tls, http2: true, allowedHosts: flags.allowHost, limits, flag: '--listen' },
      io,
      (url) => {
        const announce = (): void => current.lines(url).forEach(output.line)
        if (config.summary !== undefined) output.note(config.summary)
        if (logDir?.isGiven === true)
          output.note(
            `Logging component stdio to ${JSON.stringify(relative(io.cwd, logDir.path) || '.')}`,
          )
        announce()
        output.json({ url })
        if (place.kind !== 'folder') return
        const own = [stateDir, logDir?.path].filter((folder) => folder !== undefined)
        reloader = createReloader(place, app as App, flags, own, io, output, async (changed) => {
          const next = await start(changed)
          const before = current
          current = running = next
          announce()
          await before.close()
        })
      },
    )
  } finally {
    // A running worker thread would keep the process alive.
    await reloader?.close()
    await running?.close()
    await logs?.close()
  }
}

async function startApp(
  whole: App | PulledApp,
  place: AppPlace,
  flags: RunFlags,
  io: CliIo,
  { config, stateDir, first, onLog }: StartOptions,
): Promise<Running> {
  assertComponents(whole, flags.componentId ?? [], '--component-id')
  const app = narrowApp(
    whole,
    flags.componentId === undefined ? undefined : new Set(flags.componentId),
    Object.fromEntries(flags.env ?? []),
  )
  const folder = place.kind === 'folder' ? place.place.directory : undefined
  const run = runAppOf(app)
  const types = [...new Set(run.otherTriggers.map(({ type }) => type))]
  const others = types.length === 0 ? '' : `; its triggers are of type ${types.join(', ')}`
  if (run.triggers.length === 0)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `the application has no http trigger to serve${others}`,
    )
  const maxMemory =
    flags.maxMemory ??
    flags.maxInstanceMemory ??
    variableOf(io, 'SPIN_MAX_INSTANCE_MEMORY', sizeOption) ??
    config.maxMemory
  const { providers } = config
  const options = {
    variables: await readVariables(
      flags.variable ?? [],
      [...run.variables.keys()],
      { providers, folder },
      io,
    ),
    onLog,
    clientAddress: addressOfClient,
    ...(flags.timeout === false ? {} : { timeout: flags.timeout ?? DEFAULT_TIMEOUT }),
    ...(maxMemory === undefined ? {} : { maxMemory }),
  }
  const outbound = outboundOptions(flags, config, io)
  const files = stateFiles(run, first, stateDir, config)
  const rest = await storeInFiles(files, first)
  const state: AppState = {
    ...files,
    first: rest,
    ...(maxMemory === undefined ? {} : { maxMemory }),
    ...(outbound !== undefined && { outbound }),
  }
  const lines = (url: string): string[] => [
    ...describeState(state, io.cwd),
    ...describeRoutes(app, run, url),
  ]
  const { worker: script } = io
  if (script !== undefined) {
    const worker = (): WorkerLike => startAppThread(script, state)
    const handler = await createWorkerHandler(app, { ...options, worker })
    return { ...handler, lines, first: rest }
  }
  const handler = await createAppHandler(app, {
    ...options,
    ...(await openAppState(state)),
    ...(io.fetch === undefined || outbound !== undefined ? {} : { fetch: io.fetch }),
  })
  return { ...handler, lines, first: rest, close: () => Promise.resolve() }
}

/** `undefined` if neither a flag nor the runtime configuration affects outbound requests. */
function outboundOptions(
  flags: RunFlags,
  config: RuntimeConfig,
  io: CliIo,
): OutboundFetchOptions | undefined {
  if (flags.outboundProxy !== true) return config.outbound
  if (config.outbound?.blockNetworks !== undefined)
    throw new UsageError(
      '--outbound-proxy: a proxy resolves names itself, so that block_networks of the runtime configuration cannot be enforced: leave one of them out',
    )
  return { ...config.outbound, proxy: readProxyEnvironment(io.env) }
}

function assertComponents(app: App | PulledApp, ids: readonly string[], flag: string): void {
  const known = componentIds(app)
  const missing = ids.find((id) => !known.includes(id))
  if (missing !== undefined)
    throw new CommandError(
      `the application has no component "${missing}" (${flag}); it has ${known.join(', ')}`,
    )
}

/** The log folder: as in Spin, inside the state folder by default. `undefined` for none. */
function logFolder(
  stateDir: string | undefined,
  flags: RunFlags,
  config: RuntimeConfig,
  io: CliIo,
): LogFolder | undefined {
  const given = flags.logDir ?? io.env['SPIN_LOG_DIR'] ?? config.logDir
  const folder = given ?? (stateDir === undefined ? '' : join(stateDir, 'logs'))
  return folder === '' ? undefined : { path: resolve(io.cwd, folder), isGiven: given !== undefined }
}

/** `undefined` for memory. */
function stateFolder(
  place: AppPlace,
  flags: RunFlags,
  config: RuntimeConfig,
  io: CliIo,
): string | undefined {
  const ofApp = place.kind === 'folder' ? join(place.place.directory, DEFAULT_STATE) : ''
  const folder = flags.stateDir ?? config.stateDir ?? ofApp
  return folder === '' ? undefined : resolve(io.cwd, folder)
}

/** The client address in the format of guests: `HOST:PORT`. */
function addressOfClient(request: Request): string {
  const { address, port } = clientAddress(request) ?? { address: '0.0.0.0', port: 0 }
  return `${address.includes(':') ? `[${address}]` : address}:${port}`
}
