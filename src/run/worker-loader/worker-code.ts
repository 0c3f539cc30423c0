import type { App } from '../../spin/source/app.ts'
import type { PulledApp } from '../../spin/artifact/pulled-app.ts'
import { assertNoVerifyOption } from '../../store/verify-option.ts'
import type { FetchHandler } from '../../types.ts'
import { openRunApp } from '../app/open-run-app.ts'
import { HOST_BINDING, variableBinding } from './bindings.ts'
import { MAIN_MODULE, workerModules, type WorkerModulesOptions } from './worker-modules.ts'

/** Argument of `get` and `load` of a Worker Loader. */
export interface WorkerCode {
  compatibilityDate: string
  mainModule: string
  modules: Record<string, { js: string } | { wasm: ArrayBuffer } | { data: ArrayBuffer }>
  env: Record<string, unknown>
  globalOutbound?: null
  limits?: { cpuMs?: number; subRequests?: number }
}

export interface WorkerCodeOptions extends WorkerModulesOptions {
  /** Values of the application's variables; required ones must be among them. */
  readonly variables?: Readonly<Record<string, string>>
  /**
   * An entrypoint of yours that answers by `createWorkerHost`: then the loaded Worker reaches the
   * network, key-value stores and a log through it, and nothing by itself. Default: it reaches the
   * network as its parent does, has no stores, and logs to the console.
   */
  readonly host?: FetchHandler
  /** The platform's own limits for each request. Default: those of the parent. */
  readonly limits?: { readonly cpuMs?: number; readonly subRequests?: number }
  /** Default `2025-11-17`. */
  readonly compatibilityDate?: string
}

// The first date that enables all features used here without a flag.
const COMPATIBILITY_DATE = '2025-11-17'

/**
 * An application as a Worker for the Worker Loader, which may compile what its parent may not.
 *
 * Exported from `spindle/worker-loader`.
 *
 * @example Pull, load and ask
 * const app = await pull('registry.example/me/hello:1.0.0')
 * const worker = env.LOADER.get(app.descriptor.digest, () =>
 *   toWorkerCode(app, { variables: { greeting: 'Hello' }, host: ctx.exports.AppHost({}) }),
 * )
 * return worker.getEntrypoint().fetch(request)
 *
 * Rejects with `ERR_CONTENT_INVALID` or `ERR_UNSUPPORTED` for components that can't be taken apart,
 * `ERR_LIMIT_EXCEEDED` for those that need more than `maxMemory`. What only shows when it starts
 * (variables, imports) is a 500 to each request and a line in the log.
 *
 * @see https://developers.cloudflare.com/dynamic-workers/
 */
export async function toWorkerCode(
  app: App | PulledApp,
  options: WorkerCodeOptions = {},
): Promise<WorkerCode> {
  assertNoVerifyOption(options, 'toWorkerCode')
  const { variables = {}, host, limits, compatibilityDate = COMPATIBILITY_DATE, ...rest } = options
  const modules = await workerModules(await openRunApp(app), rest)
  return {
    compatibilityDate,
    mainModule: MAIN_MODULE,
    modules: Object.fromEntries(
      Array.from(modules, ([name, module]) => {
        if ('js' in module) return [name, module]
        return 'wasm' in module
          ? [name, { wasm: bufferOf(module.wasm) }]
          : [name, { data: bufferOf(module.data) }]
      }),
    ),
    env: {
      ...Object.fromEntries(
        Object.entries(variables).map(([name, value]) => [variableBinding(name), value]),
      ),
      ...(host !== undefined && { [HOST_BINDING]: host }),
    },
    ...(host !== undefined && { globalOutbound: null }),
    ...(limits !== undefined && { limits: { ...limits } }),
  }
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  return (
    byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)
  ) as ArrayBuffer
}
