import { SpindleError } from '../../errors.ts'
import type { FetchHandler } from '../../types.ts'
import type { RunApp } from '../app/run-app.ts'
import { describeUnsupplied } from '../app/unsupplied.ts'
import { createBudget, MAX_MEMORY } from '../budget.ts'
import { hasJspi } from '../component/abi/jspi.ts'
import { createImports, type SharedHosts } from '../host/imports.ts'
import { createLogs } from '../host/logs.ts'
import { keyValueByLabel, sqliteByLabel } from '../host/spin/by-label.ts'
import { createMemoryKeyValue } from '../host/spin/key-value-store.ts'
import { createVariables } from '../host/spin/variables.ts'
import { builtInResponse, WELL_KNOWN } from '../http/built-in.ts'
import { allowedHosts } from '../http/outbound.ts'
import type { Router } from '../http/router.ts'
import { requestTarget } from '../http/target.ts'
import { createResponder, type Respond, type RunOptions } from './respond.ts'
import { loadRuntimes, type Runtime } from './runtimes.ts'
import { routerOf, targetOf, type Target } from './target.ts'

type Logs = ReturnType<typeof createLogs>

/** Like `createAppHandler`, for an application that is already loaded. */
export async function createRunHandler(
  run: RunApp,
  options: RunOptions = {},
): Promise<FetchHandler> {
  const log = createLogs(options.onLog)
  const variables = createVariables(run, options.variables ?? {})
  const targets = run.triggers.map((trigger) => targetOf(trigger, run))
  const router = routerOf(run, (_, i) => targets[i] as Target)
  for (const line of describeUnreached(router)) log.host('', line)
  for (const { id, type } of run.otherTriggers)
    log.host('', `the trigger "${id}" is not run: its type is "${type}", and only "http" is`)

  const maxMemory = options.maxMemory ?? MAX_MEMORY
  const memory = createMemoryKeyValue()
  const hosts: SharedHosts = {
    variables,
    keyValue: keyValueByLabel(options.keyValue ?? { default: memory }),
    sqlite: options.sqlite && sqliteByLabel(options.sqlite),
    jspi: options.jspi ?? hasJspi(),
    interfaces: options.interfaces ?? {},
  }
  const allowed = new Map(
    [...run.components.values()].map(
      (component) => [component.id, allowedHosts(run, component, variables)] as const,
    ),
  )
  const runtimes = await loadComponents(run, targets, { options, hosts, maxMemory, log })
  const respond = createResponder({
    run,
    options,
    runtimes,
    log,
    maxMemory,
    hosts,
    allowed,
    routes: {
      network: options.fetch ?? ((request) => globalThis.fetch(request)),
      self: (request) => route(request),
      component: (id, request) => respondByComponent(targets, respond, id, request),
    },
  })

  const route = async (request: Request): Promise<Response> => {
    const { path } = requestTarget(request)
    const builtIn = builtInResponse(path, run)
    if (builtIn !== undefined) return builtIn
    const match = router.match(path)
    if (match === undefined) return new Response(null, { status: 404 })
    const { target } = match.route
    if (target.kind === 'static') return target.response()
    return respond(target.id, request, match, target.executor)
  }
  return { fetch: route }
}

/** Warnings that Spin prints at the start about routes that no request reaches. */
function describeUnreached(router: Router<{ readonly id: string }>): string[] {
  const duplicates = router.duplicates.map(
    ({ route, replaced, effective }) => `  ${replaced.id}: ${route} (duplicate of ${effective.id})`,
  )
  return [
    ...(duplicates.length === 0
      ? []
      : ['The following component routes are duplicates and will never be used:', ...duplicates]),
    ...(router.routes.some(({ effective }) => effective.startsWith(WELL_KNOWN))
      ? [`Routes under ${WELL_KNOWN} are handled by the Spin runtime and will never be reached`]
      : []),
  ]
}

interface LoadSettings {
  readonly options: RunOptions
  readonly hosts: SharedHosts
  readonly maxMemory: number
  readonly log: Logs
}

/** Compiles the components that triggers start, and checks that the host has their imports. */
function loadComponents(
  run: RunApp,
  targets: readonly Target[],
  { options, hosts, maxMemory, log }: LoadSettings,
): Promise<ReadonlyMap<string, Runtime>> {
  const notRunning = (): never => {
    throw new SpindleError('ERR_UNSUPPORTED', 'nothing runs yet')
  }
  return loadRuntimes(run, targets, (component) => ({
    compile: options.compile,
    maxMemory,
    dependencies: component.dependencies,
    onUnsupplied(name) {
      const line = describeUnsupplied(component, name)
      if (line !== undefined) log.host(component.id, line)
    },
    ...createImports({
      ...hosts,
      budget: createBudget(maxMemory),
      component,
      files: undefined,
      sendFor: () => notRunning,
      assertInTime: notRunning,
      atEnd: () => {},
      cli: { args: [], stdin: notRunning, stdout: notRunning, stderr: notRunning },
    }),
  }))
}

/** Service chaining: a component calls another by its id, whatever its routes. */
async function respondByComponent(
  targets: readonly Target[],
  respond: Respond,
  id: string,
  request: Request,
): Promise<Response> {
  const target = targets.find((candidate) => candidate.kind === 'component' && candidate.id === id)
  if (target?.kind !== 'component')
    throw new SpindleError('ERR_NOT_FOUND', `no trigger starts a component "${id}"`)
  const { path } = requestTarget(request)
  const route = { effective: '/...', raw: '/...', target: undefined, tokens: [] }
  return respond(id, request, { route, params: new Map(), pathInfo: path }, target.executor)
}
