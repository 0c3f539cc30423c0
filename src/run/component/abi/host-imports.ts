import { SpindleError } from '../../../errors.ts'
import { isPromise } from './runtime.ts'
import type { ResourceType } from './model.ts'
import type { HostInterface, InstanceItem, Item, LinkedInterface, Stoppable } from './items.ts'
import { declareType } from './match.ts'
import type { Declaration, ExternType } from '../binary/model.ts'
import { at, createScope, invalid, isAsync, spend, type Scope, type TypeEntry } from './types.ts'

/**
 * Finds what the host has under an import's full name, such as `wasi:http/types@0.2.3`. With the
 * name of a dependency: what it has for that one.
 */
export type HostImports = (name: string, dependency?: string) => LinkedInterface | undefined

/** Resource types of the host by interface and name: an interface may be imported more than once. */
export type HostResources = Map<string, ResourceType>

/** Functions over raw core values, for one core module whose memory they read and write. */
export interface CoreHost {
  readonly host: HostInterface
  /** Before the first call: the module's memory. */
  attach(memory: WebAssembly.Memory): void
}

function hostResource(
  host: LinkedInterface,
  module: string,
  name: string,
  resources: HostResources,
): ResourceType {
  const key = `${module}#${name}`
  const known = resources.get(key)
  if (known !== undefined) return known
  const drop = Object.hasOwn(host.functions, `[resource-drop]${name}`)
    ? host.functions[`[resource-drop]${name}`]
    : undefined
  const made: ResourceType = {
    kind: 'resource',
    name,
    ...(drop !== undefined && { drop: drop as (representation: unknown) => unknown }),
  }
  resources.set(key, made)
  return made
}

function hostFunction(host: LinkedInterface, module: string, name: string, type: TypeEntry): Item {
  const label = module === '' ? name : `${module}#${name}`
  const fn = Object.hasOwn(host.functions, name) ? host.functions[name] : undefined
  return {
    kind: 'func',
    type,
    name: label,
    waits: host.waits?.has(name) === true || isAsync(type),
    outside: true,
    ...(host.inTurn === true && { inTurn: true }),
    call:
      fn === undefined
        ? () => {
            throw new SpindleError(
              'ERR_UNSUPPORTED',
              `the component calls "${label}", which this host doesn't have: ${supplyAdvice(label)}`,
            )
          }
        : (args, _, control) => {
            const value = (fn as (...args: unknown[]) => unknown)(...args())
            if (control !== undefined && isPromise(value)) {
              // A guest that cancels a call is free at once, whatever the host makes of it.
              control.cancel = () => {
                ;(value as Stoppable<unknown>).stop?.()
                return true
              }
            }
            return value
          },
  }
}

/** Binds a root import to the host. What only a call would need is refused at the call. */
export function importFromHost(
  name: string,
  type: ExternType,
  scope: Scope,
  imports: HostImports,
  resources: HostResources = new Map(),
): Item {
  switch (type.kind) {
    case 'instance': {
      const host = imports(name)
      if (host === undefined) throw unknownImport(name)
      const entry = at(scope.types, type.index, 'type')
      if (entry.kind === 'resource' || entry.def.kind !== 'instance')
        return invalid(`type ${type.index} is no instance type`)
      return hostInstance(host, name, entry.def.declarations, entry.scope, resources)
    }
    case 'func': {
      // A bare function is in no interface: the host has those under the empty name.
      const host = imports('')
      if (host === undefined || !Object.hasOwn(host.functions, name)) throw unknownImport(name)
      return hostFunction(host, '', name, at(scope.types, type.index, 'type'))
    }
    case 'type':
      if (type.equals !== undefined)
        return { kind: 'type', type: at(scope.types, type.equals, 'type') }
      return {
        kind: 'type',
        type: hostResource(imports('') ?? { functions: {} }, '', name, resources),
      }
    default:
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `the component imports a ${type.kind}, "${name}": a host has only interfaces`,
      )
  }
}

/** The option that supplies an interface. */
export function supplyAdvice(name: string): string {
  const option = /(?:^|[:/])sqlite(?:[/@]|$)/.test(name) ? 'sqlite' : 'interfaces'
  return `supply it by the option "${option}"`
}

function unknownImport(name: string): SpindleError {
  return new SpindleError(
    'ERR_UNSUPPORTED',
    `the component imports "${name}", which this host doesn't know: ${supplyAdvice(name)}`,
  )
}

function hostInstance(
  host: LinkedInterface,
  module: string,
  declarations: readonly Declaration[],
  outer: Scope,
  resources: HostResources,
): InstanceItem {
  spend(outer.codecs, declarations.length)
  const scope = createScope(outer, outer.codecs)
  const exports = new Map<string, Item>()
  for (const declaration of declarations) {
    if (declaration.kind !== 'export') {
      declareType(declaration, scope)
      continue
    }
    const { name, type } = declaration
    if (type.kind === 'type') {
      const entry =
        type.equals === undefined
          ? hostResource(host, module, name, resources)
          : at(scope.types, type.equals, 'type')
      scope.types.push(entry)
      exports.set(name, { kind: 'type', type: entry })
    } else if (type.kind === 'func') {
      exports.set(name, hostFunction(host, module, name, at(scope.types, type.index, 'type')))
    } else {
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `the component imports a ${type.kind} within "${module}"`,
      )
    }
  }
  return { kind: 'instance', exports }
}
