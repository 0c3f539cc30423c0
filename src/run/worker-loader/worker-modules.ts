import { encodeUtf8 } from '../../bytes/text.ts'
import type { Digest } from '../../types.ts'
import type { AppHandlerOptions } from '../handler/app-handler-options.ts'
import { snapshotOf } from '../app/app-snapshot.ts'
import type { RunApp } from '../app/run-app.ts'
import { packSnapshot, type WorkerDescription } from './packed-snapshot.ts'
import { splitComponent } from './split-component.ts'

/** `createWorkerApp` as one module without imports; the build inserts it. */
declare const SPINDLE_WORKER_SCRIPT: string

/** One module of a Worker. */
type WorkerModule =
  { readonly js: string } | { readonly wasm: Uint8Array } | { readonly data: Uint8Array }

export interface WorkerModulesOptions extends Pick<AppHandlerOptions, 'timeout' | 'concurrency'> {
  /** Bytes that one request may take in all. Default 64 MiB: a Worker has 128 MiB. */
  readonly maxMemory?: number
}

const MAX_WORKER_MEMORY = 64 * 1024 * 1024

/** The first of a Worker's modules. */
export const MAIN_MODULE = 'index.js'
/** What a Worker of one's own imports to have the core modules bound: `modules`, by digest. */
const BOUND_MODULES = 'modules.js'

/**
 * The code of every Worker, whatever the application. No text of an application is ever written
 * into code: names, versions, routes and the like are in `app.bin`, which is JSON.
 */
const MAIN = `// Made by Spindle. The application is in app.bin and content.bin.
import { createWorkerApp } from './spindle.js'
import app from './app.bin'
import content from './content.bin'
import { modules } from './${BOUND_MODULES}'

export default createWorkerApp({ app, content, modules })
`

/** An application as the modules of a Worker, by their names; {@link MAIN_MODULE} is the first to run. */
export async function workerModules(
  run: RunApp,
  { maxMemory = MAX_WORKER_MEMORY, timeout, concurrency }: WorkerModulesOptions = {},
): Promise<ReadonlyMap<string, WorkerModule>> {
  const snapshot = await snapshotOf(run)
  const skeletons = new Map<string, Uint8Array>()
  const cores = new Map<Digest, Uint8Array>()
  for (const [id, bytes] of snapshot.wasm) {
    const { skeleton, modules } = await splitComponent(bytes, { maxMemory })
    skeletons.set(id, skeleton)
    for (const [digest, core] of modules) cores.set(digest, core)
  }
  const { packed, content } = packSnapshot({ ...snapshot, wasm: skeletons })
  const options = {
    maxMemory,
    ...(timeout !== undefined && { timeout }),
    ...(concurrency !== undefined && { concurrency }),
  }
  const description: WorkerDescription = { app: packed, options }
  return new Map<string, WorkerModule>([
    [MAIN_MODULE, { js: MAIN }],
    [BOUND_MODULES, { js: formatBoundModules([...cores.keys()]) }],
    ['spindle.js', { js: SPINDLE_WORKER_SCRIPT }],
    ['app.bin', { data: encodeUtf8(JSON.stringify(description)) }],
    ['content.bin', { data: content }],
    ...Array.from(cores, ([digest, wasm]) => [fileOf(digest), { wasm }] as const),
  ])
}

/** Digests are computed of the bytes: nothing but `sha256:` and hexadecimal digits gets into the code. */
function formatBoundModules(digests: readonly Digest[]): string {
  return [
    ...digests.map((digest, i) => `import module${i} from './${fileOf(digest)}'`),
    '',
    `export const modules = { ${digests.map((digest, i) => `'${digest}': module${i}`).join(', ')} }`,
    '',
  ].join('\n')
}

function fileOf(digest: Digest): string {
  return `${digest.replace(':', '-')}.wasm`
}
