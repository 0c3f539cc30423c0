import { isSpindleError } from '../../errors.ts'
import { takeRequestBody } from '../../http/wire.ts'
import type { AllowedHost } from '../../spin/manifest/outbound-hosts.ts'
import type { RunApp } from '../app/run-app.ts'
import { explainEnd } from '../budget.ts'
import type { ExecutorConfig } from '../executors/load-executor.ts'
import { createImports, type SharedHosts } from '../host/imports.ts'
import type { createLogs } from '../host/logs.ts'
import { isExitSignal } from '../host/wasi/cli.ts'
import { createBytesInput } from '../host/wasi/streams.ts'
import { awaitedBody, takeResponse } from '../http/client-body.ts'
import type { Executor } from '../http/execution.ts'
import { clientHost, componentHeaders } from '../http/headers.ts'
import { holdBody } from '../http/held-body.ts'
import { createLimiter, type Place } from '../http/limiter.ts'
import { createReceiver, RefusedRequest, slowClient } from '../http/receive-body.ts'
import type { RouteMatch } from '../http/router.ts'
import { UNKNOWN_ADDRESS, type AppHandlerOptions } from './app-handler-options.ts'
import { createChaining } from './chaining.ts'
import { createGuestFetch, type Routes } from './guest-fetch.ts'
import { createRequestScope, MAX_UNREAD, type RequestScope } from './request-scope.ts'
import { runtimeKey, type Runtime } from './runtimes.ts'

const DEFAULT_CONCURRENCY = 64

/** Options of a handler whose application is loaded and verified. */
export interface RunOptions extends Omit<AppHandlerOptions, 'verify'> {
  /** Milliseconds that a request waited before it reached the handler. Default: none. */
  readonly waited?: (request: Request) => number
}

interface ResponderOptions {
  readonly run: RunApp
  readonly options: RunOptions
  readonly runtimes: ReadonlyMap<string, Runtime>
  readonly log: ReturnType<typeof createLogs>
  /** Bytes. */
  readonly maxMemory: number
  readonly hosts: SharedHosts
  /** Allowed outbound hosts by component. */
  readonly allowed: ReadonlyMap<string, readonly AllowedHost[]>
  readonly routes: Routes
}

/** Answers a request by an instance of the component that it was routed to. */
export type Respond = (
  id: string,
  request: Request,
  match: RouteMatch<unknown>,
  config: ExecutorConfig,
) => Promise<Response>

/** Creates what answers one request at a time per place; it never rejects unless the client has left. */
export function createResponder({
  run,
  options,
  runtimes,
  log,
  maxMemory,
  hosts,
  allowed,
  routes,
}: ResponderOptions): Respond {
  const chaining = createChaining()
  const limiter = createLimiter(options.concurrency ?? DEFAULT_CONCURRENCY)
  const receiver = createReceiver(maxMemory)
  const { jspi } = hosts

  /** Receives the body where the executor buffers it, and then waits for a place. */
  const admit = async (
    request: Request,
    executor: Executor,
    { deadline, budget, sender }: RequestScope,
    isOutside: boolean,
  ): Promise<{ readonly bytes: Uint8Array | undefined; readonly place: Place | undefined }> => {
    const { signal } = deadline
    const received = executor.buffers(jspi)
      ? await receiver.receive(request, signal, isOutside ? undefined : budget)
      : undefined
    try {
      // Only requests from outside queue: a component that waits for another must not wait for its own place.
      if (isOutside)
        sender.tree.place = await limiter.acquire(signal, () => deadline.abort(slowClient()))
    } finally {
      received?.release()
    }
    return { bytes: received?.bytes, place: isOutside ? sender.tree.place : undefined }
  }

  return async (id, request, match, config) => {
    const { component, files, executor } = runtimes.get(runtimeKey(id, config)) as Runtime
    const origin = chaining.originOf(request)
    const isOutside = origin === undefined
    // Headers of a request from another component do not identify its sender.
    const clientAddress = (isOutside && options.clientAddress?.(request)) || UNKNOWN_ADDRESS
    const host = isOutside ? clientHost(request) : new URL(request.url).host
    const scope = createRequestScope(request, {
      origin,
      log,
      jspi,
      maxMemory,
      timeout: options.timeout,
      waited: isOutside ? options.waited?.(request) : 0,
    })
    const { deadline, budget, lines, sender } = scope
    const { signal, assertInTime } = deadline
    const logFailure = (error: unknown): void => {
      const reason = explainEnd(budget, error, reasonOf(error)) ?? error
      const { pathname } = new URL(request.url)
      lines.host(id, `${request.method} ${pathname} failed: ${reasonOf(reason)}`)
    }
    try {
      const { bytes, place } = await admit(request, executor, scope, isOutside)
      const streamed = bytes === undefined ? takeRequestBody(request) : null
      const fetchFor = createGuestFetch({
        id,
        scope,
        routes,
        chaining,
        allowed: allowed.get(id) ?? [],
      })
      const stdout = () => lines.stream(id, 'stdout')
      const stderr = () => lines.stream(id, 'stderr')
      const stdin = () => createBytesInput(new Uint8Array())
      const linked = createImports({
        ...hosts,
        budget,
        component,
        files,
        sendFor: fetchFor,
        assertInTime,
        atEnd: scope.atEnd,
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
        env: Object.entries(component.env),
        stdout,
        stderr,
        send: fetchFor(component),
        headers: componentHeaders(request, { match, base: run.base, clientAddress, host }),
        body: bytes ?? (streamed !== null && place ? awaitedBody(streamed, place) : streamed),
        signal,
        assertInTime,
      })
      scope.responded()
      void finished
        .then((failure) => {
          if (failure !== undefined) logFailure(failure)
        })
        .finally(() => scope.end())
      options.waitUntil?.(finished, sender.first)
      if (place === undefined)
        return held === undefined ? response : holdBody(response, held, budget.bodies)
      if (held !== undefined && held <= MAX_UNREAD) return response
      const taken = takeResponse(response, place, signal)
      scope.sendsBody(held ?? 0, taken.done)
      return taken.response
    } catch (error) {
      const hasLeft = request.signal.aborted
      try {
        if (!hasLeft) logFailure(error)
      } finally {
        scope.end()
      }
      if (hasLeft) throw request.signal.reason
      return new Response(null, { status: error instanceof RefusedRequest ? error.status : 500 })
    } finally {
      deadline.met()
    }
  }
}

/** For the log only: a response never contains why it failed. */
function reasonOf(error: unknown): string {
  if (isExitSignal(error)) return `the component exited with ${error.exitCode}`
  if (isSpindleError(error)) return `${error.message} (${error.code})`
  return error instanceof Error ? error.message : String(error)
}
