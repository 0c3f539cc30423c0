import { leb } from '../../bytes/leb.ts'
import { compareVersions, parseVersion } from '../../bindle/semver.ts'
import { SpindleError, AppInvalid } from '../../errors.ts'
import { compatibleName } from '../manifest/import-names.ts'
import {
  createTypeTable,
  type InstanceType,
  type Member,
  type Sort,
  type TypeNode,
  type World,
} from './component-types.ts'
import {
  type ComponentWriter,
  createComponentWriter,
  createTypeBudget,
  type Part,
  text,
  type TypeScope,
  vector,
  writeType,
} from './component-writer.ts'
import { writeDenied } from './denied-interface.ts'

/** A component on its way into the composition. */
export interface Guest {
  readonly what: string
  readonly world: World
  readonly wasm: Uint8Array
  /** Where its imports come from: only those that the host does not give. */
  readonly instances: Map<string, number>
  readonly items: Map<string, readonly [Sort, number]>
}

interface Composition {
  /** Gives a component what it imports from the host. */
  giveHostImports(guest: Guest): void
  /** Gives it an interface of which every function says that it is not permitted. */
  deny(guest: Guest, member: Member): void
  /** Gives it, under a name, an export of an instance. */
  give(guest: Guest, name: string, instance: number, member: Member): void
  /** Once it has all of its imports. */
  instantiate(guest: Guest): number
  export(instance: number, name: string, sort: Sort): void
  finish(): Uint8Array
}

/** Starts a component that imports from the host what its parts do. */
export function createComposition(
  guests: readonly Guest[],
  isFromHost: (guest: Guest, member: Member) => boolean,
): Composition {
  const budget = createTypeBudget()
  const typeNumber = createTypeTable()
  const aliases = new Map<string, number>()
  const shared = collectImports(guests, isFromHost)
  const importedTypes = new Map(
    [...shared.values()].flatMap((one) =>
      one.sort === 'type' ? one.users.map(({ member }) => [member.type, one] as const) : [],
    ),
  )
  const writing = new Set<SharedImport>()
  /** Resources that denied interfaces have in place of the host's. */
  const denied = new Set<TypeNode>()
  const components = new Map<Uint8Array, number>()

  const failed = (message: string): never => {
    throw new SpindleError('ERR_UNSUPPORTED', message)
  }
  /** Whose types are being written: their names are those of its imports. */
  let current = guests[0] as Guest
  const outside = (type: TypeNode): number => {
    const origin = type.kind === 'imported' ? type : current.world.origins.get(type)
    if (origin !== undefined) return typeOf(current, origin.from, origin.name)
    const one = importedTypes.get(type)
    if (one !== undefined) return indexOf(one)
    return failed(
      `${current.what} can't be composed: an import needs a type that is made inside of it`,
    )
  }
  const writer: ComponentWriter = createComponentWriter(outside)

  const typeOf = (guest: Guest, from: string, name: string): number => {
    const instance = guest.instances.get(from) ?? hostInstance(guest, from)
    const key = `${instance} ${name}`
    const known = aliases.get(key)
    if (known !== undefined) return known
    const index = writer.alias('type', instance, name)
    aliases.set(key, index)
    return index
  }

  const hostInstance = (guest: Guest, name: string): number => {
    const one = shared.get(importKey('instance', name))
    if (one?.users.some((user) => user.guest === guest && user.member.name === name) !== true)
      return failed(
        `${guest.what} can't be composed: an import from the host needs types of ${JSON.stringify(name)}, which the host doesn't supply to it`,
      )
    return indexOf(one)
  }

  const indexOf = (one: SharedImport): number => {
    if (one.index !== undefined) return one.index
    if (writing.has(one))
      return failed(`the imports ${JSON.stringify(one.name)} and others need each other's types`)
    writing.add(one)
    const before = current
    one.index = one.sort === 'instance' ? writeInterface(one) : writeItem(one)
    current = before
    writing.delete(one)
    return one.index
  }

  const clash = (one: SharedImport, member: string): never => {
    throw new AppInvalid([
      {
        code: 'composition',
        message: `components to compose disagree about the type of ${JSON.stringify(member)} in their import ${JSON.stringify(one.name)}: build them for the same version of it`,
      },
    ])
  }

  /** One interface that has whatever any of its users needs of it. */
  const writeInterface = (one: SharedImport): number => {
    const parts: Part[] = []
    let count = 0
    const define = (declaration: Part): number => {
      parts.push(declaration)
      return count++
    }
    const scope: TypeScope = {
      known: new Map(),
      define: (type) => define([1, type]),
      outside: (type) => {
        const index = writer.known.get(type) ?? outside(type)
        return define([2, 3, 2, 1, leb(index)])
      },
    }
    const written = new Map<string, { readonly member: Member; readonly index: number }>()
    for (const { guest, member } of one.users) {
      current = guest
      for (const inner of (member.type as InstanceType).members) {
        const { name, sort, type } = inner
        const known = written.get(name)
        if (known !== undefined) {
          if (known.member.sort !== sort || typeNumber(known.member.type) !== typeNumber(type))
            clash(one, name)
          if (sort === 'type') scope.known.set(type, known.index)
          continue
        }
        let index = -1
        if (sort === 'type' && type.kind === 'resource') {
          index = define([4, 0, text(name), 3, 1])
          scope.known.set(type, index)
        } else if (sort === 'type' && type.kind === 'named') {
          const target = writeType(type.target, scope, budget)
          index = define([4, 0, text(name), 3, 0, leb(target)])
          scope.known.set(type, index)
        } else if (sort === 'func') {
          const target = writeType(type, scope, budget)
          parts.push([4, 0, text(name), 1, leb(target)])
        } else
          failed(
            `${guest.what} can't be composed: its import ${JSON.stringify(one.name)} has a ${sort} in it`,
          )
        written.set(name, { member: inner, index })
      }
    }
    const type = writer.define([0x42, vector(parts)])
    return writer.importAs(one.name, 'instance', [5, leb(type)])
  }

  const writeItem = (one: SharedImport): number => {
    const [first, ...others] = one.users
    if (first === undefined) throw new TypeError('an import without a user')
    const { member } = first
    current = first.guest
    for (const { member: other } of others)
      if (typeNumber(member.type) !== typeNumber(other.type)) clash(one, one.name)
    if (one.sort === 'func')
      return writer.importAs(one.name, 'func', [1, leb(writeType(member.type, writer, budget))])
    const bound: Part =
      member.type.kind === 'named' ? [0, leb(writeType(member.type.target, writer, budget))] : [1]
    const index = writer.importAs(one.name, 'type', [3, bound])
    for (const { member: user } of one.users) writer.known.set(user.type, index)
    return index
  }

  return {
    giveHostImports(guest: Guest): void {
      for (const member of guest.world.imports) {
        if (!isFromHost(guest, member)) continue
        const one = shared.get(importKey(member.sort, member.name)) as SharedImport
        const index = indexOf(one)
        if (member.sort === 'instance') guest.instances.set(member.name, index)
        guest.items.set(member.name, [member.sort, index])
      }
    },
    deny(guest: Guest, member: Member): void {
      current = guest
      const index = writeDenied(member.name, member.type as InstanceType, writer, denied, (type) =>
        writeType(type, writer, budget),
      )
      guest.instances.set(member.name, index)
      guest.items.set(member.name, ['instance', index])
    },
    give(guest: Guest, name: string, instance: number, { name: from, sort }: Member): void {
      const index = writer.alias(sort, instance, from)
      if (sort === 'instance') guest.instances.set(name, index)
      guest.items.set(name, [sort, index])
    },
    instantiate(guest: Guest): number {
      const component = components.get(guest.wasm) ?? writer.component(guest.wasm)
      components.set(guest.wasm, component)
      return writer.instantiate(
        component,
        guest.world.imports.map(({ name }) => {
          const [sort, index] = guest.items.get(name) as readonly [Sort, number]
          return [name, sort, index] as const
        }),
      )
    },
    export(instance: number, name: string, sort: Sort): void {
      writer.exportAs(name, sort, writer.alias(sort, instance, name))
    },
    finish: () => writer.finish(),
  }
}

/** An import of the composition, and what of it each component needs. */
interface SharedImport {
  name: string
  readonly sort: 'instance' | 'func' | 'type'
  readonly users: { readonly guest: Guest; readonly member: Member }[]
  index?: number
}

function importKey(sort: Sort, name: string): string {
  return sort === 'instance' ? compatibleName(name) : `${sort} ${name}`
}

/** Compatible versions of an interface become one import, of the newest: they share their resources. */
function collectImports(
  guests: readonly Guest[],
  isFromHost: (guest: Guest, member: Member) => boolean,
): ReadonlyMap<string, SharedImport> {
  const shared = new Map<string, SharedImport>()
  for (const guest of guests) {
    for (const member of guest.world.imports) {
      if (!isFromHost(guest, member)) continue
      const { name, sort, type } = member
      if (sort !== 'func' && sort !== 'type' && !(sort === 'instance' && type.kind === 'instance'))
        throw new SpindleError(
          'ERR_UNSUPPORTED',
          `${guest.what} can't be composed: its import ${JSON.stringify(name)} is a ${sort}; compose it beforehand (wac plug)`,
        )
      const key = importKey(sort, name)
      const one = shared.get(key)
      if (one === undefined) shared.set(key, { name, sort, users: [{ guest, member }] })
      else {
        one.users.push({ guest, member })
        if (isNewer(name, one.name)) one.name = name
      }
    }
  }
  return shared
}

function isNewer(name: string, other: string): boolean {
  const version = (of: string) => parseVersion(of.slice(of.indexOf('@') + 1))
  const [one, two] = [version(name), version(other)]
  return one !== undefined && two !== undefined && compareVersions(one, two) > 0
}
