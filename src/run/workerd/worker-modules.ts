import type { AppHandlerOptions } from '../app-handler.ts'
import { snapshotOf } from '../app-snapshot.ts'
import { limitMemory } from '../component/limit-memory.ts'
import type { RunApp } from '../run-app.ts'
import { packApp } from './packed-app.ts'
import { splitComponent } from './split-component.ts'
import { workerScript } from './worker-script.ts'

/** One module of a Worker. */
type WorkerModule =
  { readonly js: string } | { readonly wasm: Uint8Array } | { readonly data: Uint8Array }

export interface WorkerModulesOptions extends Pick<AppHandlerOptions, 'timeout' | 'concurrency'> {
  /** Bytes that each memory of a component may grow to. Default 64 MiB: a Worker has 128 MiB in all. */
  readonly maxMemory?: number
}

const MOST_MEMORY = 64 * 1024 * 1024

/** The first of a Worker's modules. */
export const MAIN_MODULE = 'index.js'
/** What a Worker of one's own imports to have the core modules bound: `modules`, by digest. */
const BOUND_MODULES = 'modules.js'

/** An application as the modules of a Worker, by their names; {@link MAIN_MODULE} is the first to run. */
export async function workerModules(
  run: RunApp,
  { maxMemory = MOST_MEMORY, timeout, concurrency }: WorkerModulesOptions = {},
): Promise<ReadonlyMap<string, WorkerModule>> {
  const snapshot = await snapshotOf(run)
  const skeletons = new Map<string, Uint8Array>()
  const cores = new Map<string, Uint8Array>()
  for (const [id, bytes] of snapshot.wasm) {
    const { skeleton, modules } = await splitComponent(bytes)
    skeletons.set(id, skeleton)
    for (const [digest, core] of modules) cores.set(digest, limitMemory(core, maxMemory))
  }
  const { packed, content } = packApp({ ...snapshot, wasm: skeletons })
  const options = {
    ...(timeout !== undefined && { timeout }),
    ...(concurrency !== undefined && { concurrency }),
  }
  const names = [...cores.keys()].map((digest) => [digest, `${digest.replace(':', '-')}.wasm`])
  const main = [
    `// ${JSON.stringify(run.name)}${run.version === undefined ? '' : ` ${run.version}`}, made by Spindle.`,
    `import { createWorkerApp } from './spindle.js'`,
    `import content from './content.bin'`,
    `import { modules } from './${BOUND_MODULES}'`,
    '',
    // As text: an object literal would take the key `__proto__` for something else.
    `const app = JSON.parse(${JSON.stringify(JSON.stringify(packed))})`,
    '',
    `export default createWorkerApp({ app, content, modules, options: ${JSON.stringify(options)} })`,
    '',
  ].join('\n')
  const bound = [
    ...names.map(([, name], i) => `import module${i} from './${name}'`),
    '',
    `export const modules = { ${names.map(([digest], i) => `'${digest}': module${i}`).join(', ')} }`,
    '',
  ].join('\n')
  return new Map<string, WorkerModule>([
    [MAIN_MODULE, { js: main }],
    [BOUND_MODULES, { js: bound }],
    ['spindle.js', { js: workerScript() }],
    ['content.bin', { data: content }],
    ...[...cores].map(([digest, wasm]) => [`${digest.replace(':', '-')}.wasm`, { wasm }] as const),
  ])
}
