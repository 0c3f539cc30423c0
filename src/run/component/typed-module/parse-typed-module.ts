import { checkModule } from './check-module.ts'
import { readCoreInterface, type CoreInterface } from '../binary/core-interface.ts'
import { parseCoreModule, parseCoreName, ROOT } from './core-names.ts'
import type { ComponentDef, Declaration, TypedModule, World } from '../binary/model.ts'
import { PREVIEW1 } from './preview1-signatures.ts'
import { readWorld } from './read-world.ts'

/**
 * Reads a core module that says which worlds its bindings were generated for, in its `component-type`
 * sections, as a component: `undefined` for other core modules.
 *
 * Throws `ERR_CONTENT_INVALID` or `ERR_UNSUPPORTED` where module and worlds don't fit together, and
 * names the import, the export or the section; `ERR_LIMIT_EXCEEDED` as `parseComponent` does.
 *
 * @see https://github.com/bytecodealliance/wasm-tools/blob/main/crates/wit-component/src/metadata.rs
 */
export function parseTypedModule(bytes: Uint8Array): ComponentDef | undefined {
  const core = readCoreInterface(bytes)
  if (core.worlds.length === 0) return undefined
  // Counted over all sections.
  const taken = { items: 0 }
  const used = usedFunctions(core)
  const typed: TypedModule = {
    kind: 'typed module',
    module: { kind: 'core module', bytes },
    core,
    worlds: core.worlds.map((section) => prune(readWorld(bytes, section, taken), used)),
  }
  checkModule(typed)
  return { definitions: [typed] }
}

/** Names of imported functions, by interface. */
type Used = ReadonlyMap<string, ReadonlySet<string>>

function usedFunctions({ imports }: CoreInterface): Used {
  const used = new Map<string, Set<string>>()
  for (const { module, name } of imports) {
    const { interface: interfaceName, exported } = parseCoreModule(module)
    if (exported || module === PREVIEW1) continue
    const names = used.get(interfaceName) ?? new Set<string>()
    used.set(interfaceName, names)
    const found = parseCoreName(name)
    if (found.kind === 'function') names.add(found.func)
    else if (found.kind === 'transfer') names.add(found.transfer.func)
  }
  return used
}

/**
 * A world without the functions that its module does not import: SDKs have worlds of all interfaces
 * that there are. Types keep their places.
 */
function prune(world: World, used: Used): World {
  const kept = new Map<number, Set<string>>()
  let types = 0
  for (const { index, name } of world.declarations.flatMap(importedInstance)) {
    const names = kept.get(index) ?? new Set<string>()
    kept.set(index, names)
    for (const one of used.get(name) ?? []) names.add(one)
  }
  const declarations = world.declarations.flatMap((declaration): Declaration[] => {
    const index = types
    if (takesType(declaration)) types++
    const isUnusedFunction =
      declaration.kind === 'import' &&
      declaration.type.kind === 'func' &&
      used.get(ROOT)?.has(declaration.name) !== true
    if (isUnusedFunction) return []
    const names = kept.get(index)
    if (declaration.kind !== 'type' || names === undefined || declaration.def.kind !== 'instance')
      return [declaration]
    const inside = declaration.def.declarations.filter(
      (inner) => inner.kind !== 'export' || inner.type.kind !== 'func' || names.has(inner.name),
    )
    return [{ kind: 'type', def: { kind: 'instance', declarations: inside } }]
  })
  return { ...world, declarations }
}

function importedInstance(declaration: Declaration): Array<{ index: number; name: string }> {
  return declaration.kind === 'import' && declaration.type.kind === 'instance'
    ? [{ index: declaration.type.index, name: declaration.name }]
    : []
}

function takesType(declaration: Declaration): boolean {
  switch (declaration.kind) {
    case 'type':
      return true
    case 'alias':
      return declaration.sort === 'type'
    case 'import':
    case 'export':
      return declaration.type.kind === 'type'
    default:
      return false
  }
}
