import { dirname, join, resolve } from 'node:path'
import { createAppHandler } from '../../run/app-handler.ts'
import { type RunApp, runAppOf } from '../../run/run-app.ts'
import { createWorkerHandler, type WorkerLike } from '../../run/worker/worker-handler.ts'
import type { App } from '../../spin/app.ts'
import { lockApp } from '../../spin/lock.ts'
import type { PulledApp } from '../../spin/pulled-app.ts'
import type { FetchHandler } from '../../types.ts'
import { type AppState, loadSqlJs, openAppState } from '../app-state.ts'
import { startAppThread } from '../app-thread.ts'
import { listen } from '../listen.ts'
import type { AppPlace } from './app-source.ts'
import { readVariables } from './app-variables.ts'
import { type Address, addressOption } from './arguments.ts'
import { createComponentLogs } from './component-logs.ts'
import { CommandError, type CliIo } from './io.ts'
import { loadLocalApp } from './local-app.ts'
import { type OpenFlags, openApp } from './open-app.ts'
import { createOutput, type Output } from './output.ts'
import { componentIds, describeRoutes, describeState, narrowApp } from './start-up.ts'
import { watchFolder } from './watch-folder.ts'

/** Flags of `up` and `registry run`. */
export interface RunFlags extends OpenFlags {
  readonly listen?: Address
  readonly env?: ReadonlyMap<string, string>
  readonly variable?: readonly string[]
  readonly componentId?: readonly string[]
  readonly quiet?: boolean
  readonly logDir?: string
  /** Empty for none. */
  readonly stateDir?: string
  /** Milliseconds. */
  readonly timeout?: number
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
  const logs = await createComponentLogs(io, {
    quiet: flags.quiet ?? false,
    folder: flags.logDir === undefined ? undefined : resolve(io.cwd, flags.logDir),
  })
  const start = (app: App | PulledApp): Promise<Running> =>
    startApp(app, place, flags, io, logs.onLog)
  try {
    const app = await openApp(place, flags, io, output)
    let running = await start(app)
    const { host, port } = flags.listen ?? addressOf(io)
    const listener = await listen(
      { fetch: (request) => running.fetch(request) },
      { host, port },
    ).catch(async (cause: unknown) => {
      await running.close()
      throw new CommandError(`can't listen on ${host}:${port}; name another with --listen`, {
        cause,
      })
    })
    for (const line of running.lines(listener.url)) output.line(line)
    output.json({ url: listener.url })
    const reloader =
      place.kind === 'folder'
        ? createReloader(place, app as App, flags, io, output, async (changed) => {
            const next = await start(changed)
            const before = running
            running = next
            for (const line of running.lines(listener.url)) output.line(line)
            await before.close()
          })
        : undefined
    await new Promise<void>((done) => {
      if (io.signal.aborted) done()
      io.signal.addEventListener('abort', () => done(), { once: true })
    })
    reloader?.close()
    await listener.close()
    await running.close()
  } finally {
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
    throw new CommandError('the application has no http trigger to serve')
  const options = {
    variables: await readVariables(flags.variable ?? [], folder, io),
    onLog,
    clientAddress,
    ...(flags.timeout === undefined ? {} : { timeout: flags.timeout }),
  }
  const state = stateOf(run, place, flags, io)
  const lines = (url: string): string[] => [
    ...describeState(run, state, io.cwd),
    ...describeRoutes(app, run, url),
  ]
  const { worker: script } = io
  if (script !== undefined) {
    // What is missing is said here: a thread could only end.
    if (state.sqlite) await loadSqlJs()
    const worker = (): WorkerLike => startAppThread(script, state)
    const handler = await createWorkerHandler(app, { ...options, worker })
    return { ...handler, lines }
  }
  const handler = await createAppHandler(app, {
    ...options,
    ...(await openAppState(state)),
    ...(io.fetch === undefined ? {} : { fetch: io.fetch }),
  })
  return { ...handler, lines, close: () => Promise.resolve() }
}

function stateOf(run: RunApp, place: AppPlace, flags: RunFlags, io: CliIo): AppState {
  const ofApp = place.kind === 'folder' ? join(place.place.directory, DEFAULT_STATE) : ''
  const folder = flags.stateDir ?? ofApp
  return {
    folder: folder === '' ? undefined : resolve(io.cwd, folder),
    sqlite: [...run.components.values()].some((one) => one.sqliteDatabases.length > 0),
  }
}

function addressOf({ env }: CliIo): Address {
  const text = env['SPIN_HTTP_LISTEN_ADDR']
  return text === undefined || text === '' ? DEFAULT_ADDRESS : addressOption(text)
}

/** What `srvx` adds to the requests that it makes. */
interface ServedRequest extends Request {
  readonly runtime?: {
    readonly node?: {
      readonly req?: {
        readonly socket?: { readonly remoteAddress?: string; readonly remotePort?: number }
      }
    }
  }
}

function clientAddress(request: ServedRequest): string {
  const { remoteAddress = '0.0.0.0', remotePort = 0 } = request.runtime?.node?.req?.socket ?? {}
  return `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`
}

/** Starts an application anew when its files have changed; what doesn't load leaves the old one running. */
function createReloader(
  { place }: Extract<AppPlace, { kind: 'folder' }>,
  first: App,
  flags: RunFlags,
  io: CliIo,
  output: Output,
  swap: (app: App) => Promise<void>,
): { close(): void } {
  let isClosed = false
  let last: Promise<string | undefined> = lockOf(first)
  let work: Promise<void> = Promise.resolve()
  const reload = async (): Promise<void> => {
    if (isClosed) return
    try {
      // A build that was asked for is not run again: its own output would start the next one.
      const app = await loadLocalApp(place, { ...flags, build: false }, io, output)
      const lock = await lockOf(app)
      if (isClosed || lock === (await last)) return
      output.note('The application has changed: starting it anew.')
      await swap(app)
      last = Promise.resolve(lock)
    } catch (error) {
      if (!isClosed)
        output.warn(`not reloaded, the application as it was goes on: ${(error as Error).message}`)
    }
  }
  const change = (): void => void (work = work.then(reload))
  const failed = (error: Error): void =>
    output.warn(`changes are not seen, this folder can't be watched: ${error.message}`)
  const own = [flags.stateDir, flags.logDir]
    .filter((given) => given !== undefined && given !== '')
    .map((given) => resolve(io.cwd, given as string))
  const watcher = [place.directory, ...outsideFolders(first, place.directory)].map((folder) =>
    watchFolder(folder, own, change, failed),
  )
  return {
    close: () => {
      isClosed = true
      for (const one of watcher) one.close()
    },
  }
}

/** Folders beside the application's that have some of its Wasm. */
function outsideFolders(app: App, directory: string): string[] {
  const depth = app.manifestPath.split('/').length - 1
  if (depth === 0) return []
  const top = resolve(directory, ...Array<string>(depth).fill('..'))
  const prefix = app.manifestPath.slice(0, app.manifestPath.lastIndexOf('/') + 1)
  const beside = [...app.files.keys()].filter((path) => !path.startsWith(prefix))
  return [...new Set(beside.map((path) => dirname(resolve(top, path))))]
}

/** The lock as text: the same for the same files. */
async function lockOf(app: App): Promise<string | undefined> {
  return lockApp(app).then(
    ({ locked }) => JSON.stringify(locked),
    () => undefined,
  )
}
