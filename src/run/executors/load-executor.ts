import { rewordError } from '../../bytes/reword-error.ts'
import { SpindleError } from '../../errors.ts'
import {
  compileComponent,
  compileCore,
  type CompileOptions,
  type ComponentDependency,
} from '../component/compile.ts'
import { type HostImports, supplyAdvice } from '../component/abi/host-imports.ts'
import type { HostInterface } from '../component/abi/items.ts'
import { exportNamesOf, importsOf } from '../component/typed-module/externs.ts'
import { wasmKind } from '../component/binary/parse.ts'
import { parseWasm } from '../component/parse-wasm.ts'
import type { ComponentDef } from '../component/binary/model.ts'
import { loadDependency } from '../app/dependencies.ts'
import type { RunDependency } from '../app/run-app.ts'
import { createInboundExecutor } from './inbound-http.ts'
import { createLegacyExecutor } from './legacy-module.ts'
import { createWagiComponentExecutor, createWagiModuleExecutor } from './wagi.ts'
import { createWasiHttpExecutor } from './wasi-http.ts'
import { createWasiHttp3Executor } from './wasi-http-3.ts'
import type { Executor } from '../http/execution.ts'

/** What a trigger says about how its component is called. */
export type ExecutorConfig =
  { readonly type: 'http' } | { readonly type: 'wagi'; readonly argv: string }

export interface LoadOptions extends CompileOptions {
  /** What the component will be given: an import that nobody has is refused before any request. */
  readonly imports: HostImports
  /** Called with each interface that is linked although nobody supplies it. */
  readonly onUnsupplied: (name: string) => void
  /** What fills imports of the component. */
  readonly dependencies: readonly RunDependency[]
}

const WASI_HTTP = /^wasi:http\/incoming-handler@0\.2\.(?:\d+|0-rc-2023-10-18|0-rc-2023-11-10)$/
const WASI_HTTP_3 = /^wasi:http\/handler@0\.3\.(?:\d+|0-rc-2026-03-15)$/
const WASI_CLI = /^wasi:cli\/run@0\.2\.(?:\d+|0-rc-2023-10-18|0-rc-2023-11-10)$/
const INBOUND = 'fermyon:spin/inbound-http'

/**
 * Reads and compiles a component's Wasm and finds how it answers HTTP, as Spin does: by what it
 * exports. Rejects with `ERR_UNSUPPORTED` when that is nothing, or more than one thing.
 */
export async function loadExecutor(
  id: string,
  wasm: Uint8Array,
  config: ExecutorConfig,
  options: LoadOptions,
): Promise<Executor> {
  try {
    const component = parseWasm(wasm)
    if (component !== undefined) return await loadComponent(component, config, options)
    if (wasmKind(wasm) !== 'module')
      throw new SpindleError('ERR_CONTENT_INVALID', 'its source is no WebAssembly')
    if (options.dependencies.length > 0)
      throw new SpindleError('ERR_UNSUPPORTED', 'it has dependencies, but is no component')
    const module = await compileCore(wasm, options)
    return config.type === 'wagi'
      ? createWagiModuleExecutor(module, config.argv)
      : createLegacyExecutor(module)
  } catch (error) {
    if (!(error instanceof SpindleError)) throw error
    throw rewordError(error, `component "${id}": ${error.message}`)
  }
}

async function loadComponent(
  component: ComponentDef,
  config: ExecutorConfig,
  options: LoadOptions,
): Promise<Executor> {
  const name = handlerOf(component, config)
  const dependencies = await Promise.all(
    options.dependencies.map((one) => loadDependency(component, one, options)),
  )
  checkImports(component, dependencies, options)
  const compiled = { ...(await compileComponent(component, options)), dependencies }
  if (config.type === 'wagi') return createWagiComponentExecutor(compiled, name, config.argv)
  if (name === INBOUND) return createInboundExecutor(compiled, name)
  return WASI_HTTP_3.test(name)
    ? createWasiHttp3Executor(compiled, name)
    : createWasiHttpExecutor(compiled, name)
}

function checkImports(
  component: ComponentDef,
  dependencies: readonly ComponentDependency[],
  { imports, onUnsupplied }: LoadOptions,
): void {
  const filled = new Set(dependencies.flatMap((dependency) => [...dependency.filled.keys()]))
  const unknownTo = (importer: ComponentDef, dependency?: string): string[] =>
    importsOf(importer).flatMap(({ name, kind }) => {
      if (kind !== 'instance' || (dependency === undefined && filled.has(name))) return []
      const host = imports(name, dependency)
      if (host !== undefined && isEmpty(host)) onUnsupplied(name)
      return host === undefined ? [name] : []
    })
  const unknown = [
    ...unknownTo(component),
    ...dependencies.flatMap(({ name, compiled }) => unknownTo(compiled.component, name)),
  ]
  if (unknown.length > 0)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `it imports what this host doesn't know: ${unknown.join(', ')}; ${supplyAdvice(unknown[0] ?? '')}`,
    )
}

function isEmpty({ functions }: HostInterface): boolean {
  return Object.keys(functions).length === 0
}

function handlerOf(component: ComponentDef, config: ExecutorConfig): string {
  const names = exportNamesOf(component)
  const wanted =
    config.type === 'wagi'
      ? names.filter((name) => WASI_CLI.test(name))
      : names.filter((name) => WASI_HTTP.test(name) || WASI_HTTP_3.test(name) || name === INBOUND)
  if (wanted.length === 1) return wanted[0] as string
  if (wanted.length > 1) {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `it exports more than one handler: ${wanted.join(', ')}`,
    )
  }
  throw new SpindleError(
    'ERR_UNSUPPORTED',
    `it exports no supported handler${names.length === 0 ? '' : ` (it exports ${names.join(', ')})`}`,
  )
}
