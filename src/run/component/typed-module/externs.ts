import { COMMAND, commandOf } from './bind-export.ts'
import { parseCoreModule, ROOT } from './core-names.ts'
import type { ComponentDef, Definition, TypedModule } from '../binary/model.ts'
import { PREVIEW1 } from './preview1-signatures.ts'

/** An import or export of a component. */
interface Extern {
  readonly name: string
  readonly kind: string
}

/** What a component imports, in file order. Of a module with worlds: what of them it uses. */
export function importsOf(component: ComponentDef): Extern[] {
  return component.definitions.flatMap((definition): Extern[] => {
    if (definition.kind === 'import') return [{ name: definition.name, kind: definition.type.kind }]
    return definition.kind === 'typed module' ? moduleImports(definition) : []
  })
}

/** Names of what a component exports, in file order. */
export function exportNamesOf(component: ComponentDef): string[] {
  return component.definitions.flatMap((definition: Definition): string[] => {
    if (definition.kind === 'export') return [definition.name]
    return definition.kind === 'typed module' ? moduleExports(definition) : []
  })
}

function moduleImports({ core, worlds }: TypedModule): Extern[] {
  const names = new Set<string>()
  for (const { module } of core.imports) {
    const { interface: name, exported } = parseCoreModule(module)
    if (!exported && module !== PREVIEW1 && name !== ROOT) names.add(name)
  }
  const root = worlds.flatMap(({ declarations }) =>
    declarations.flatMap((one): Extern[] =>
      one.kind === 'import' && one.type.kind === 'func' ? [{ name: one.name, kind: 'func' }] : [],
    ),
  )
  return [...Array.from(names, (name): Extern => ({ name, kind: 'instance' })), ...root]
}

function moduleExports({ core, worlds }: TypedModule): string[] {
  const names = new Set(
    worlds.flatMap(({ declarations }) =>
      declarations.flatMap((one) => (one.kind === 'export' ? [one.name] : [])),
    ),
  )
  return commandOf(core, names.size) === undefined ? [...names] : [COMMAND]
}
