import { destructorOf } from './bind-export.ts'
import type { Item } from '../abi/items.ts'
import type { ExternType, TypedModule } from '../binary/model.ts'
import { openWorlds, type OpenWorlds, type WorldFunction } from './open-worlds.ts'
import type { CoreFunction, Instance, ResourceType } from '../abi/model.ts'
import type { Scope } from '../abi/types.ts'

interface OpenModuleOptions {
  /** Owns the resources that the module exports. */
  readonly instance: Instance
  readonly importItem: (name: string, type: ExternType, scope: Scope) => Item
  /** An exported function of the module; asked when one is called. */
  readonly core: (name: string) => CoreFunction | undefined
  readonly compare: boolean
}

/** Opens the worlds of a module. What it doesn't import is left out, whether or not a host has it. */
export function openModule(
  { core: names, worlds }: TypedModule,
  scope: Scope,
  { instance, importItem, core, compare }: OpenModuleOptions,
): OpenWorlds {
  const resources = new Map<string, ResourceType>()
  return openWorlds(worlds, scope, {
    importItem,
    compare,
    exportedResource(interfaceName, name) {
      const key = `${interfaceName}#${name}`
      const destructor = destructorOf(names, interfaceName, name)
      const made = resources.get(key) ?? {
        kind: 'resource',
        name,
        owner: instance,
        ...(destructor !== undefined && {
          drop: (representation: unknown) => core(destructor)?.(representation as number),
        }),
      }
      resources.set(key, made)
      return made
    },
  })
}

/** All functions that worlds export. */
export function exportsOf({
  exports,
}: OpenWorlds): Array<readonly [string, string, WorldFunction]> {
  return [...exports].flatMap(([interfaceName, items]) =>
    [...items].flatMap(([name, item]): Array<readonly [string, string, WorldFunction]> =>
      item.kind === 'func' ? [[interfaceName, name, item]] : [],
    ),
  )
}
