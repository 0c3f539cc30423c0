import { SpindleError, AppInvalid } from '../../errors.ts'
import {
  compileComponent,
  type CompileOptions,
  type ComponentDependency,
} from '../component/compile.ts'
import type { ComponentDef } from '../component/binary/model.ts'
import { exportNamesOf, importsOf } from '../component/typed-module/externs.ts'
import { parseWasm } from '../component/parse-wasm.ts'
import type { RunComponent, RunDependency } from './run-app.ts'
import { exportForImport, fillsImport } from '../../spin/manifest/import-names.ts'

function inherits({ inherit }: RunDependency, what: string): boolean {
  return inherit === 'all' || inherit.includes(what)
}

/** A component restricted to the permissions that a dependency inherits. */
export function asDependency(component: RunComponent, dependency: RunDependency): RunComponent {
  const shared = <T>(what: string, value: T, nothing: T): T =>
    inherits(dependency, what) ? value : nothing
  return {
    ...component,
    env: shared('environment', component.env, {}),
    config: shared('variables', component.config, {}),
    allowedHosts: shared('allowed_outbound_hosts', component.allowedHosts, []),
    keyValueStores: shared('key_value_stores', component.keyValueStores, []),
    sqliteDatabases: shared('sqlite_databases', component.sqliteDatabases, []),
    aiModels: shared('ai_models', component.aiModels, []),
  }
}

export function sharesFiles(dependency: RunDependency): boolean {
  return inherits(dependency, 'files')
}

/**
 * Reads and compiles a dependency of a component, and finds the imports that it satisfies.
 * Rejects with `ERR_APP_INVALID` when it satisfies no import or lacks the export.
 */
export async function loadDependency(
  component: ComponentDef,
  dependency: RunDependency,
  options: CompileOptions,
): Promise<ComponentDependency> {
  const { name, export: given } = dependency
  const wasm = await dependency.wasm()
  const parsed = parseWasm(wasm)
  if (parsed === undefined)
    throw new SpindleError('ERR_UNSUPPORTED', `its dependency "${name}" is no component`)
  const exports = exportNamesOf(parsed)
  const wanted = importsOf(component)
    .map((extern) => extern.name)
    .filter((candidate) => fillsImport(name, candidate))
  if (wanted.length === 0) {
    throw new AppInvalid([
      { code: 'unfit-dependency', message: `it has no import for its dependency "${name}"` },
    ])
  }
  const filled = new Map<string, string>()
  for (const importName of wanted) {
    const found = exportForImport(importName, exports, given)
    if (found === undefined) {
      throw new AppInvalid([
        {
          code: 'unfit-dependency',
          message: `its dependency "${name}" exports no "${given ?? importName}"`,
        },
      ])
    }
    filled.set(importName, found)
  }
  return { name, compiled: await compileComponent(parsed, options), filled }
}
