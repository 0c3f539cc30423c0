import { whenAborted } from '../../bytes/abort.ts'
import { isSpindleError, SpindleError } from '../../errors.ts'
import { takeRequestBody } from '../../http/wire.ts'
import type { FetchHandler, FetchLike } from '../../types.ts'
import { type AppHandlerOptions, UNKNOWN_ADDRESS } from './app-handler-options.ts'
// Before the others: a Worker's script and what carries it then lie close enough to compress as one.
import { loadRuntimes, runtimeKey, type Runtime } from './runtimes.ts'
import { createBudget, explainEnd, MAX_MEMORY } from '../budget.ts'
import type { ExecutorConfig } from '../executors/load-executor.ts'
import { hasJspi } from '../component/abi/jspi.ts'
import { builtInResponse } from '../http/built-in.ts'
import { awaitedBody, takeResponse, type TakenResponse } from '../http/client-body.ts'
import { createDeadline } from '../http/deadline.ts'
import { clientHost, componentHeaders } from '../http/headers.ts'
import { holdBody } from '../http/held-body.ts'
import { createLimiter, type Place } from '../http/limiter.ts'
import { allowedHosts, createOutbound } from '../http/outbound.ts'
import { createReceiver } from '../http/receive-body.ts'
import { RefusedRequest, slowClient } from '../http/refused-request.ts'
import { createRequestTree, type Origin } from '../http/request-tree.ts'
import { createRouter, type RouteMatch } from '../http/router.ts'
import { requestTarget } from '../http/target.ts'
import { describeUnreached } from '../http/unreached.ts'
import { createImports } from '../host/imports.ts'
import { createLogs } from '../host/logs.ts'
import type { RunApp, RunComponent } from '../app/run-app.ts'
import { createMemoryKeyValue } from '../host/spin/key-value-store.ts'
import { createVariables } from '../host/spin/variables.ts'
import { targetOf, type Target } from './target.ts'
import { describeUnsupplied } from '../app/unsupplied.ts'
import { isExitSignal } from '../host/wasi/cli.ts'
import { describeFailure } from '../host/wasi/http-errors.ts'
import { createBytesInput } from '../host/wasi/streams.ts'

const DEFAULT_CONCURRENCY = 64
// Components that call each other in a ring would otherwise go on until memory ends.
const MOST_HOPS = 16
// Of the requests of one guest, how many that fail are logged: it may try without end.
const MOST_FAILURES = 10
// Bytes of a response that may wait for their client when its guest has gone and others have its place.
const MAX_UNREAD = 256 * 1024

const LEFT = new SpindleError('ERR_TRAP', 'the component that sent the request has ended')

interface RunOptions extends Omit<AppHandlerOptions, 'verify'> {
  /** Milliseconds that a request has waited before it came here. Default: none. */
  readonly waited?: (request: Request) => number
}

/** Like `createAppHandler`, for an application that is already loaded. */
export async function createRunHandler(
  run: RunApp,
  options: RunOptions = {},
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
  for (const { id, type } of run.otherTriggers)
    log.host('', `the trigger "${id}" is not run: its type is "${type}", and only "http" is`)

  const jspi = options.jspi ?? hasJspi()
  const maxMemory = options.maxMemory ?? MAX_MEMORY
  /** Of requests that components send to each other: how deep, what came from outside, who pays. */
  const origins = new WeakMap<Request, Origin>()
  const limiter = createLimiter(options.concurrency ?? DEFAULT_CONCURRENCY)
  const receiver = createReceiver(maxMemory)
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
    maxMemory,
    dependencies: component.dependencies,
    onUnsupplied(name) {
      const line = describeUnsupplied(component, name)
      if (line !== undefined) log.host(component.id, line)
    },
    ...createImports({
      ...shared,
      budget: createBudget(maxMemory),
      component,
      files: undefined,
      sendFor: () => nowhere,
      assertInTime: nowhere,
      atEnd: () => {},
      cli: { args: [], stdin: nowhere, stdout: nowhere, stderr: nowhere },
    }),
  }))

  const answer = async (
    id: string,
    request: Request,
    match: RouteMatch<unknown>,
    config: ExecutorConfig,
  ): Promise<Response> => {
    const { component, files, executor } = runtimes.get(runtimeKey(id, config)) as Runtime
    const origin = origins.get(request)
    const { depth, first } = origin ?? { depth: 0, first: request }
    // Of a request by another component, headers say nothing about who sent it.
    const isOutside = origin === undefined
    const clientAddress = (isOutside && options.clientAddress?.(request)) || UNKNOWN_ADDRESS
    const host = isOutside ? clientHost(request) : new URL(request.url).host
    const facts = { match, base: run.base, clientAddress, host }
    const deadline = createDeadline(request.signal, options.timeout, {
      waited: isOutside ? options.waited?.(request) : 0,
      canAbort: true,
    })
    const budget = origin?.budget.nested() ?? createBudget(maxMemory)
    const lines = log.request(budget, jspi)
    const tree = origin?.tree ?? createRequestTree()
    const leave = tree.begin()
    let place: Place | undefined
    let taken: TakenResponse | undefined
    let answered = 0
    const atEnd: Array<() => void> = []
    const waiting = new Set<() => void>()
    const stop = (): void => deadline.abort(origin?.signal.reason ?? LEFT)
    const stopWaiting = whenAborted(origin?.signal, stop)
    origin?.waiting.add(stop)
    if (origin?.signal.aborted === true) stop()
    const end = (): void => {
      deadline.end()
      stopWaiting()
      origin?.waiting.delete(stop)
      for (const work of [...waiting, ...atEnd]) work()
      const settle = (): void => {
        budget.end()
        // A long body that the client has not read yet is held as well.
        if (taken !== undefined && answered + budget.held > MAX_UNREAD) void taken.done.then(leave)
        else leave()
      }
      // Lines that nobody has written yet are the host's memory, too.
      const drained = lines.drained()
      if (drained === undefined) settle()
      else void drained.then(settle)
    }
    const logFailure = (error: unknown): void => {
      const reason = explainEnd(budget, error, reasonOf(error)) ?? error
      const { pathname } = new URL(request.url)
      lines.host(id, `${request.method} ${pathname} failed: ${reasonOf(reason)}`)
    }
    try {
      const received = executor.buffers(jspi)
        ? await receiver.receive(request, deadline.signal, isOutside ? undefined : budget)
        : undefined
      try {
        // Only what comes from outside queues: a component that waits for another must not wait for its own place.
        if (isOutside)
          tree.place = place = await limiter.acquire(deadline.signal, () =>
            deadline.abort(slowClient()),
          )
      } finally {
        received?.release()
      }
      const sent = received === undefined ? takeRequestBody(request) : null
      const inside =
        (next: (request: Request) => Promise<Response>) =>
        (request: Request): Promise<Response> => {
          if (depth >= MOST_HOPS)
            throw new SpindleError(
              'ERR_LIMIT_EXCEEDED',
              `components call each other more than ${MOST_HOPS} deep`,
            )
          const { signal } = deadline
          origins.set(request, { depth: depth + 1, first, budget, tree, signal, waiting })
          return next(request)
        }
      let failures = 0
      /** A guest is told of which kind a failure is: who runs it may need to know more. */
      const reported: FetchLike = async (request) => {
        try {
          return await outside(request)
        } catch (error) {
          // A request that its guest gave up has not failed.
          const { aborted, reason } = request.signal
          if (!(aborted && error === reason && !isTimeout(reason)) && failures++ < MOST_FAILURES)
            lines.host(
              id,
              `${request.method} ${new URL(request.url).origin} failed: ${describeFailure(error)}`,
            )
          throw error
        }
      }
      const sendFor = (one: RunComponent): FetchLike =>
        createOutbound(one.allowedHosts.length === 0 ? [] : (hosts.get(id) ?? []), one, {
          fetch: reported,
          self: inside(fetch),
          component: (wanted, request) => inside((request) => chained(wanted, request))(request),
        })
      const env = Object.entries(component.env)
      const stdout = () => lines.stream(id, 'stdout')
      const stderr = () => lines.stream(id, 'stderr')
      const stdin = () => createBytesInput(new Uint8Array())
      const linked = createImports({
        ...shared,
        budget,
        component,
        files,
        sendFor,
        assertInTime: deadline.assertInTime,
        atEnd: (work) => void atEnd.push(work),
        cli: { args: [], stdin, stdout, stderr },
      })
      const { response, finished, held } = await executor.execute({
        request,
        match,
        base: run.base,
        clientAddress,
        host,
        jspi,
        budget,
        ...linked,
        files,
        env,
        stdout,
        stderr,
        send: sendFor(component),
        headers: componentHeaders(request, facts),
        body: received?.bytes ?? (sent !== null && place ? awaitedBody(sent, place) : sent),
        signal: deadline.signal,
        assertInTime: deadline.assertInTime,
      })
      origin?.waiting.delete(stop)
      void finished
        .then((failure) => {
          if (failure !== undefined) logFailure(failure)
        })
        .finally(end)
      options.waitUntil?.(finished, first)
      if (place === undefined)
        return held === undefined ? response : holdBody(response, held, budget.bodies)
      if (held !== undefined && held <= MAX_UNREAD) return response
      answered = held ?? 0
      taken = takeResponse(response, place, deadline.signal)
      return taken.response
    } catch (error) {
      const hasLeft = request.signal.aborted
      try {
        if (!hasLeft) logFailure(error)
      } finally {
        end()
      }
      if (hasLeft) throw request.signal.reason
      return new Response(null, { status: error instanceof RefusedRequest ? error.status : 500 })
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
    const { path } = requestTarget(request)
    const route = { effective: '/...', raw: '/...', target: undefined, tokens: [] }
    return answer(id, request, { route, params: new Map(), pathInfo: path }, target.executor)
  }

  const fetch = async (request: Request): Promise<Response> => {
    const { path } = requestTarget(request)
    const builtIn = builtInResponse(path, run)
    if (builtIn !== undefined) return builtIn
    const match = router.match(path)
    if (match === undefined) return new Response(null, { status: 404 })
    const { target } = match.route
    if (target.kind === 'static') return target.response()
    return answer(target.id, request, match, target.executor)
  }
  return { fetch }
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError'
}

/** For the log only: a response never says why it failed. */
function reasonOf(error: unknown): string {
  if (isExitSignal(error)) return `the component exited with ${error.exitCode}`
  if (isSpindleError(error)) return `${error.message} (${error.code})`
  return error instanceof Error ? error.message : String(error)
}
