import { isSpindleError, SpindleError } from '../errors.ts'
import { mapBounded } from '../bytes/concurrency.ts'
import type { App } from '../spin/app.ts'
import type { PulledApp } from '../spin/pulled-app.ts'
import type { FetchHandler, FetchLike, Verifier } from '../types.ts'
import { loadExecutor, type ExecutorConfig, type LoadOptions } from './component-runtime.ts'
import type { Compile } from './component/compile.ts'
import type { HostInterface } from './component/items.ts'
import { hasJspi } from './component/jspi.ts'
import { createImports } from './imports.ts'
import { builtInResponse } from './http/built-in.ts'
import { createDeadline } from './http/deadline.ts'
import type { Executor } from './http/execution.ts'
import { componentHeaders } from './http/headers.ts'
import { createLimiter } from './http/limiter.ts'
import { allowedHosts, createOutbound } from './http/outbound.ts'
import { createRouter, type RouteMatch } from './http/router.ts'
import { describeUnreached } from './http/unreached.ts'
import { createLogs, type LogLine } from './logs.ts'
import { isPulledApp, runAppOf, type RunApp, type RunComponent } from './run-app.ts'
import { createMemoryKeyValue, type KeyValueStore } from './spin/key-value-store.ts'
import type { OpenSqlite } from './spin/sqlite.ts'
import { createVariables } from './spin/variables.ts'
import { isExitSignal } from './wasi/cli.ts'
import { targetOf, type Target } from './target.ts'
import { loadFileSystem } from './wasi/file-system.ts'
import { createBytesInput } from './wasi/streams.ts'

export interface AppHandlerOptions {
  /** Runs nothing that this refuses; for what was pulled, whose digest it is asked about. See `createVerifier`. */
  readonly verify?: Verifier
  /** Values of the application's variables; required ones must be among them. */
  readonly variables?: Readonly<Record<string, string>>
  /** How components reach the network, as far as `allowed_outbound_hosts` lets them. Default: the global `fetch`. */
  readonly fetch?: FetchLike
  /** The store of a label. Default: one in memory for `default`, none for others. */
  readonly keyValue?: (label: string) => KeyValueStore | undefined
  /** The SQLite database of a label, as `createSqlJsDatabase` makes them. Default: none, and a call is refused. */
  readonly sqlite?: OpenSqlite
  /** Interfaces of your own, such as `fermyon:spin/redis@2.0.0`; with or without the version. They win over built-in ones. */
  readonly interfaces?: Readonly<Record<string, HostInterface>>
  /** For runtimes that forbid compiling: gives the module bound at build time, by its bytes or their sha256. */
  readonly compile?: Compile
  /** Called for each line that a component prints, and with stream `host` for what went wrong around it. */
  readonly onLog?: (line: LogLine) => void
  /** Milliseconds for a request until its response begins. Default: none. A guest that never waits can't be interrupted. */
  readonly timeout?: number
  /** Instances at once; further requests queue. Default 64. */
  readonly concurrency?: number
  /** Bytes that each memory of a component may grow to. Default 512 MiB; modules from `compile` say themselves. */
  readonly maxMemory?: number
  /** `ip:port` of who sent a request. Default `0.0.0.0:0`. */
  readonly clientAddress?: (request: Request) => string
  /** Keeps the platform alive until a guest has returned, as `ctx.waitUntil` in a Worker; with the request from outside. */
  readonly waitUntil?: (work: Promise<unknown>, request: Request) => void
  /** Whether guests may wait. Default: whether the engine has JSPI. */
  readonly jspi?: boolean
}

const DEFAULT_CONCURRENCY = 64
// A large interpreter in a component takes some tens of MiB; far more is a leak or an attack.
const MOST_MEMORY = 512 * 1024 * 1024
// Nobody in front of us knew who asked; also what Spin says of a component that asks another.
const UNKNOWN_ADDRESS = '0.0.0.0:0'
// Components that call each other in a ring would otherwise go on until memory ends.
const MOST_HOPS = 16

/**
 * Makes an application answer requests: `fetch(Request)` to `Response`, as Spin's HTTP trigger does.
 *
 * Exported from `spindle/run`.
 *
 * @example Run what was pulled
 * const app = await pull('registry.example/me/hello:1.0.0')
 * const handler = await createAppHandler(app)
 * const response = await handler.fetch(new Request('http://localhost/hello/world'))
 *
 * Rejects with `ERR_APP_INVALID` (routes, variables), `ERR_CONTENT_INVALID` (components that are
 * malformed), `ERR_UNSUPPORTED` (components that can't run here), `ERR_POLICY_REJECTED` (when `verify`
 * refuses it). Once it is made, `fetch` answers: what goes wrong in a component is a 500 without a
 * body, and a log line that says why.
 *
 * @see https://spinframework.dev/http-trigger
 */
export async function createAppHandler(
  app: App | PulledApp,
  options: AppHandlerOptions = {},
): Promise<FetchHandler> {
  const { verify, ...rest } = options
  if (verify !== undefined) await assertVerified(app, verify)
  return createRunHandler(runAppOf(app), rest)
}

/** The same for an application that was read before, elsewhere maybe. */
export async function createRunHandler(
  run: RunApp,
  options: Omit<AppHandlerOptions, 'verify'> = {},
): Promise<FetchHandler> {
  const log = createLogs(options.onLog)
  const variables = createVariables(run, options.variables ?? {})
  const targets = run.triggers.map((trigger) => targetOf(trigger, run))
  const router = createRouter(
    run.base,
    run.triggers.flatMap(({ config }, i) => {
      const route = config['route'] ?? '/'
      // A private route has no path: only other components reach it.
      return typeof route === 'string' ? [{ route, target: targets[i] as Target }] : []
    }),
  )
  for (const line of describeUnreached(router)) log.host('', line)

  const jspi = options.jspi ?? hasJspi()
  /** Of requests that components send to each other: how deep, and what came from outside. */
  const origins = new WeakMap<Request, { readonly depth: number; readonly first: Request }>()
  const limiter = createLimiter(options.concurrency ?? DEFAULT_CONCURRENCY)
  const memory = createMemoryKeyValue()
  const shared = {
    variables,
    keyValue: options.keyValue ?? ((label: string) => (label === 'default' ? memory : undefined)),
    sqlite: options.sqlite,
    jspi,
    interfaces: options.interfaces ?? {},
  }
  const hosts = new Map(
    [...run.components.values()].map(
      (component) => [component.id, allowedHosts(run, component, variables)] as const,
    ),
  )

  const nowhere = (): never => {
    throw new SpindleError('ERR_UNSUPPORTED', 'nothing runs yet')
  }
  const runtimes = await loadRuntimes(run, targets, (component) => ({
    compile: options.compile,
    maxMemory: options.maxMemory ?? MOST_MEMORY,
    dependencies: component.dependencies,
    imports: createImports({
      ...shared,
      component,
      files: undefined,
      sendFor: () => nowhere,
      cli: { args: [], stdin: nowhere, stdout: nowhere, stderr: nowhere },
    }),
  }))

  const answer = async (
    id: string,
    request: Request,
    match: RouteMatch<unknown>,
    config: ExecutorConfig,
    clientAddress: string,
  ): Promise<Response> => {
    const { component, files, executor } = runtimes.get(runtimeKey(id, config)) as Runtime
    const facts = { match, base: run.base, clientAddress }
    const { depth, first } = origins.get(request) ?? { depth: 0, first: request }
    // Only what comes from outside queues: a component that waits for another must not wait for its own place.
    const release = depth === 0 ? await limiter.acquire(request.signal) : () => {}
    const deadline = createDeadline(request.signal, options.timeout)
    try {
      const inside =
        (next: (request: Request) => Promise<Response>) =>
        (request: Request): Promise<Response> => {
          if (depth >= MOST_HOPS)
            throw new SpindleError(
              'ERR_LIMIT_EXCEEDED',
              `components call each other more than ${MOST_HOPS} deep`,
            )
          origins.set(request, { depth: depth + 1, first })
          return next(request)
        }
      const sendFor = (one: RunComponent): FetchLike =>
        createOutbound(one.allowedHosts.length === 0 ? [] : (hosts.get(id) ?? []), one, {
          fetch: outside,
          self: inside(fetch),
          component: (wanted, request) => inside((request) => chained(wanted, request))(request),
        })
      const env = Object.entries(component.env)
      const stdout = () => log.stream(id, 'stdout')
      const stderr = () => log.stream(id, 'stderr')
      const stdin = () => createBytesInput(new Uint8Array())
      const imports = createImports({
        ...shared,
        component,
        files,
        sendFor,
        cli: { args: [], stdin, stdout, stderr },
      })
      const { response, finished } = await executor.execute({
        request,
        match,
        base: run.base,
        clientAddress,
        jspi,
        imports,
        files,
        env,
        stdout,
        stderr,
        send: sendFor(component),
        headers: componentHeaders(request, facts),
        signal: deadline.signal,
      })
      void finished.finally(() => {
        deadline.end()
        release()
      })
      options.waitUntil?.(finished, first)
      return response
    } catch (error) {
      deadline.end()
      release()
      if (request.signal.aborted) throw request.signal.reason
      log.host(id, `${request.method} ${new URL(request.url).pathname} failed: ${reasonOf(error)}`)
      return new Response(null, { status: 500 })
    } finally {
      deadline.met()
    }
  }

  const outside: FetchLike = options.fetch ?? ((request) => globalThis.fetch(request))

  /** One component asks another: by its id, whatever its routes. */
  const chained = async (id: string, request: Request): Promise<Response> => {
    const target = targets.find(
      (candidate) => candidate.kind === 'component' && candidate.id === id,
    )
    if (target?.kind !== 'component') {
      throw new SpindleError('ERR_NOT_FOUND', `no trigger starts a component "${id}"`)
    }
    const { pathname } = new URL(request.url)
    const route = { effective: '/...', raw: '/...', target: undefined, tokens: [] }
    return answer(
      id,
      request,
      { route, params: new Map(), pathInfo: pathname },
      target.executor,
      UNKNOWN_ADDRESS,
    )
  }

  const fetch = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url)
    const builtIn = builtInResponse(pathname, run)
    if (builtIn !== undefined) return builtIn
    const match = router.match(pathname)
    if (match === undefined) return new Response(null, { status: 404 })
    const { target } = match.route
    if (target.kind === 'static') return target.response()
    return answer(
      target.id,
      request,
      match,
      target.executor,
      options.clientAddress?.(request) ?? UNKNOWN_ADDRESS,
    )
  }
  return { fetch }
}

/** For the log only: a response never says why it failed. */
function reasonOf(error: unknown): string {
  if (isExitSignal(error)) return `the component exited with ${error.exitCode}`
  if (isSpindleError(error)) return `${error.message} (${error.code})`
  return error instanceof Error ? error.message : String(error)
}

interface Runtime {
  readonly component: RunComponent
  readonly executor: Executor
  readonly files: Awaited<ReturnType<typeof loadFileSystem>> | undefined
}

/** One component may be started by triggers that call it differently. */
function runtimeKey(id: string, config: ExecutorConfig): string {
  return JSON.stringify([id, config])
}

/** Contents are read by digest from the one that is verified, so nothing else can run. */
async function assertVerified(app: App | PulledApp, verify: Verifier): Promise<void> {
  if (!isPulledApp(app))
    throw new TypeError('`verify` is for applications from a registry: others have no digest')
  await verify({ store: app.store, descriptor: app.descriptor })
}

// Components loaded at once: each holds its bytes while the engine compiles them.
const LOADS_AT_ONCE = 4

async function loadRuntimes(
  run: RunApp,
  targets: readonly Target[],
  optionsOf: (component: RunComponent) => LoadOptions,
): Promise<ReadonlyMap<string, Runtime>> {
  const wanted = new Map(
    targets.flatMap((target) =>
      target.kind === 'component'
        ? [[runtimeKey(target.id, target.executor), target] as const]
        : [],
    ),
  )
  const loaded = await mapBounded(
    [...wanted],
    LOADS_AT_ONCE,
    async ([key, { id, executor }]): Promise<readonly [string, Runtime]> => {
      const component = run.components.get(id) as RunComponent
      const files = await component.files()
      return [
        key,
        {
          component,
          executor: await loadExecutor(id, await component.wasm(), executor, optionsOf(component)),
          files: files.size === 0 ? undefined : await loadFileSystem(files),
        },
      ]
    },
  )
  return new Map(loaded)
}
