import type { Json } from '../../bytes/json.ts'
import { SpindleError, AppInvalid } from '../../errors.ts'
import type { ExecutorConfig } from '../executors/load-executor.ts'
import { staticResponse } from '../http/built-in.ts'
import { createRouter, type Router } from '../http/router.ts'
import type { RunApp, RunTrigger } from '../app/run-app.ts'

/** What a trigger answers with. */
export type Target =
  | { readonly kind: 'component'; readonly id: string; readonly executor: ExecutorConfig }
  /** The id is its trigger's: there is no component. */
  | { readonly kind: 'static'; readonly id: string; readonly response: () => Response }

const DEFAULT_ARGV = '${SCRIPT_NAME} ${ARGS}'

/** Throws `ERR_APP_INVALID` for a trigger of nothing, `ERR_UNSUPPORTED` for an unknown executor. */
export function targetOf({ id, config }: RunTrigger, run: RunApp): Target {
  const component = config['component']
  if (component === undefined && config['static_response'] !== undefined) {
    return { kind: 'static', id, response: staticResponse(id, config['static_response']) }
  }
  if (typeof component !== 'string' || !run.components.has(component)) {
    throw new AppInvalid([
      {
        code: 'unknown-component',
        message: `trigger "${id}" starts a component that the application doesn't have`,
      },
    ])
  }
  return { kind: 'component', id: component, executor: executorOf(id, config['executor']) }
}

/** The router of an application's triggers. A private route has no path: only other components reach it. */
export function routerOf(
  run: RunApp,
  targetFor: (trigger: RunTrigger, index: number) => Target,
): Router<Target> {
  return createRouter(
    run.base,
    run.triggers.flatMap((trigger, i) => {
      const route = trigger.config['route'] ?? '/'
      return typeof route === 'string' ? [{ route, target: targetFor(trigger, i) }] : []
    }),
  )
}

function executorOf(id: string, value: Json | undefined): ExecutorConfig {
  const table = (value ?? {}) as { readonly [key: string]: Json }
  switch (table['type'] ?? 'http') {
    case 'http':
    case 'spin':
      return { type: 'http' }
    case 'wagi': {
      if ((table['entrypoint'] ?? '_start') !== '_start') {
        throw new SpindleError(
          'ERR_UNSUPPORTED',
          `trigger "${id}" has a WAGI entrypoint other than "_start"`,
        )
      }
      return {
        type: 'wagi',
        argv: typeof table['argv'] === 'string' ? table['argv'] : DEFAULT_ARGV,
      }
    }
    default:
      throw new SpindleError('ERR_UNSUPPORTED', `trigger "${id}" has an executor that isn't known`)
  }
}
