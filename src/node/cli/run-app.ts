import { join, resolve } from 'node:path'
import { SpindleError } from '../../errors.ts'
import { createAppHandler } from '../../run/app-handler.ts'
import { type RunApp, runAppOf } from '../../run/run-app.ts'
import { createWorkerHandler, type WorkerLike } from '../../run/worker/worker-handler.ts'
import type { App } from '../../spin/app.ts'
import type { PulledApp } from '../../spin/pulled-app.ts'
import type { FetchHandler } from '../../types.ts'
import { type AppState, loadSqlite, openAppState } from '../app-state.ts'
import { startAppThread } from '../app-thread.ts'
import { clientAddress } from '../client-address.ts'
import { readProxyEnvironment } from '../proxy.ts'
import type { AppPlace } from './app-source.ts'
import { readVariables, undeclaredVariables } from './app-variables.ts'
import { type Address, addressOption, sizeOption, variableOf } from './arguments.ts'
import { createComponentLogs } from './component-logs.ts'
import { CommandError, type CliIo } from './io.ts'
import type { ListenFlags } from './listen-flags.ts'
import { type OpenFlags, openApp } from './open-app.ts'
import { createOutput } from './output.ts'
import { createReloader, type Reloader } from './reload-app.ts'
import { DEFAULT_TIMEOUT, MAX_HEADER_SIZE } from './run-flags.ts'
import { serveUntilStopped } from './serve-until-stopped.ts'
import { componentIds, describeRoutes, describeState, narrowApp } from './start-up.ts'

/** Flags of `up` and `registry run`. */
export interface RunFlags extends OpenFlags, ListenFlags {
  /** Bytes. */
  readonly http1MaxBufSize?: number
  readonly listen?: Address
  readonly allowHost?: readonly string[]
  readonly env?: ReadonlyMap<string, string>
  readonly variable?: readonly string[]
  readonly componentId?: readonly string[]
  readonly quiet?: boolean
  readonly logDir?: string
  /** Empty for none. */
  readonly stateDir?: string
  /** Bytes. */
  readonly maxMemory?: number
  /** Milliseconds; `false` for no limit. */
  readonly timeout?: number | false
  readonly outboundProxy?: boolean
}

interface Running extends FetchHandler {
  readonly lines: (url: string) => string[]
  close(): Promise<void>
}

const DEFAULT_ADDRESS: Address = { host: '127.0.0.1', port: 3000 }
/** Beside a local manifest. What comes from elsewhere has no place of its own. */
const DEFAULT_STATE = '.spin'

/** Runs an application until the user wants to stop. */
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
  const logs = await createComponentLogs(io, {
    quiet: flags.quiet ?? false,
    folder: flags.logDir === undefined ? undefined : resolve(io.cwd, flags.logDir),
  })
  const start = (app: App | PulledApp): Promise<Running> =>
    startApp(app, place, flags, io, logs.onLog)
  let running: Running | undefined
  let reloader: Reloader | undefined
  try {
    const app = await openApp(place, flags, io, output)
    undeclaredVariables(flags.variable ?? [], runAppOf(app).variables).forEach(output.warn)
    let current = (running = await start(app))
    const handler: FetchHandler = { fetch: (request) => current.fetch(request) }
    await serveUntilStopped(
      handler,
      { ...address, allowedHosts: flags.allowHost, limits, flag: '--listen' },
      io,
      (url) => {
        const announce = (): void => current.lines(url).forEach(output.line)
        announce()
        output.json({ url })
        if (place.kind !== 'folder') return
        reloader = createReloader(place, app as App, flags, io, output, async (changed) => {
          const next = await start(changed)
          const before = current
          current = running = next
          announce()
          await before.close()
        })
      },
    )
  } finally {
    // A thread that is left would keep the process alive.
    await reloader?.close()
    await running?.close()
    await logs.close()
  }
}

async function startApp(
  whole: App | PulledApp,
  place: AppPlace,
  flags: RunFlags,
  io: CliIo,
  onLog: Awaited<ReturnType<typeof createComponentLogs>>['onLog'],
): Promise<Running> {
  const known = componentIds(whole)
  const missing = flags.componentId?.find((id) => !known.includes(id))
  if (missing !== undefined)
    throw new CommandError(
      `the application has no component "${missing}"; it has ${known.join(', ')}`,
    )
  const app = narrowApp(
    whole,
    flags.componentId === undefined ? undefined : new Set(flags.componentId),
    Object.fromEntries(flags.env ?? []),
  )
  const folder = place.kind === 'folder' ? place.place.directory : undefined
  const run = runAppOf(app)
  if (run.triggers.length === 0)
    throw new SpindleError('ERR_UNSUPPORTED', 'the application has no http trigger to serve')
  const options = {
    variables: await readVariables(flags.variable ?? [], run.variables.keys(), folder, io),
    onLog,
    clientAddress: addressOfClient,
    ...(flags.timeout === false ? {} : { timeout: flags.timeout ?? DEFAULT_TIMEOUT }),
    ...(flags.maxMemory === undefined ? {} : { maxMemory: flags.maxMemory }),
  }
  const state = stateOf(run, place, flags, io)
  const lines = (url: string): string[] => [
    ...describeState(run, state, io.cwd),
    ...describeRoutes(app, run, url),
  ]
  const { worker: script } = io
  if (script !== undefined) {
    // What is missing is said here: a thread could only end.
    if (state.sqlite) await loadSqlite()
    const worker = (): WorkerLike => startAppThread(script, state)
    const handler = await createWorkerHandler(app, { ...options, worker })
    return { ...handler, lines }
  }
  const handler = await createAppHandler(app, {
    ...options,
    ...(await openAppState(state)),
    ...(io.fetch === undefined || state.proxy !== undefined ? {} : { fetch: io.fetch }),
  })
  return { ...handler, lines, close: () => Promise.resolve() }
}

function stateOf(run: RunApp, place: AppPlace, flags: RunFlags, io: CliIo): AppState {
  const ofApp = place.kind === 'folder' ? join(place.place.directory, DEFAULT_STATE) : ''
  const folder = flags.stateDir ?? ofApp
  return {
    folder: folder === '' ? undefined : resolve(io.cwd, folder),
    sqlite: [...run.components.values()].some((one) => one.sqliteDatabases.length > 0),
    ...(flags.maxMemory === undefined ? {} : { maxMemory: flags.maxMemory }),
    ...(flags.outboundProxy === true && { proxy: readProxyEnvironment(io.env) }),
  }
}

/** As guests get it: `HOST:PORT`. */
function addressOfClient(request: Request): string {
  const { address, port } = clientAddress(request) ?? { address: '0.0.0.0', port: 0 }
  return `${address.includes(':') ? `[${address}]` : address}:${port}`
}
