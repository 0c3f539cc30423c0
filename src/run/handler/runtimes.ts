import { mapBounded } from '../../bytes/concurrency.ts'
import { loadExecutor, type ExecutorConfig, type LoadOptions } from '../executors/load-executor.ts'
import type { Executor } from '../http/execution.ts'
import type { RunApp, RunComponent } from '../app/run-app.ts'
import type { Target } from './target.ts'
import { loadFileSystem } from '../host/wasi/file-system.ts'

export interface Runtime {
  readonly component: RunComponent
  readonly executor: Executor
  readonly files: Awaited<ReturnType<typeof loadFileSystem>> | undefined
}

/** One component may be started by triggers that call it differently. */
export function runtimeKey(id: string, config: ExecutorConfig): string {
  return JSON.stringify([id, config])
}

// Components loaded at once: each holds its bytes while the engine compiles them.
const LOADS_AT_ONCE = 4

/** Loads what the triggers start, each once. Rejects as `loadExecutor` does. */
export async function loadRuntimes(
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
