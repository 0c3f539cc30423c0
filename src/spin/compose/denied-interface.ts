import { leb } from '../../bytes/leb.ts'
import { SpindleError } from '../../errors.ts'
import {
  type FuncType,
  type InstanceType,
  type Member,
  resolved,
  type Sort,
  type TypeNode,
} from './component-types.ts'
import {
  type ComponentWriter,
  createComponentWriter,
  createTypeBudget,
  writeType as writeInto,
} from './component-writer.ts'
import { I32 } from './layout.ts'
import { type CoreFunction, coreModule, createData, refusal } from './denied-functions.ts'

/**
 * Writes an interface of which every function answers that it is not permitted: an error where it
 * can fail, nothing where it gives a list or option. A function that can say neither traps.
 *
 * @param own Resources of denied interfaces, to which those of this one are added.
 * @returns Index of the instance.
 */
export function writeDenied(
  name: string,
  { members }: InstanceType,
  writer: ComponentWriter,
  own: Set<TypeNode>,
  writeType: (type: TypeNode) => number,
): number {
  const data = createData(`${JSON.stringify(name.replace(/@.*$/, ''))} is not permitted`)
  const helpers = createHelpers(writer, own, writeType)
  const functions: CoreFunction[] = []
  for (const { name: member, sort, type } of members) {
    if (sort === 'type' && type.kind === 'resource') {
      own.add(type)
      writer.known.set(type, writer.define([0x3f, I32, 0]))
    } else if (sort === 'type' && type.kind === 'named') {
      writer.known.set(type, writeType(type.target))
    } else if (sort === 'func' && type.kind === 'func') {
      functions.push(refusal(type, data, helpers))
    } else
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `the interface ${JSON.stringify(name)} can't be denied to a dependency: its ${JSON.stringify(member)} is neither a type nor a function; let the dependency inherit it`,
      )
  }
  const imports = helpers.kinds()
  const module = writer.coreModule(coreModule(functions, imports, data.finish()))
  const instance = writer.coreInstantiate(
    module,
    imports.length === 0 ? [] : [['', helpers.bundle()]],
  )
  const memory = writer.coreAlias('memory', instance, 'memory')
  const realloc = writer.coreAlias('func', instance, 'realloc')
  let next = 0
  return writeNamed(members, writer, writeType, (type) =>
    writer.lift(
      writer.coreAlias('func', instance, String(next++)),
      writeType(type),
      memory,
      realloc,
    ),
  )
}

/**
 * Makes an instance of an interface. Functions are tied to resources by the names of both, and names
 * are only given at the border of a component: hence one that exports what it imports.
 */
function writeNamed(
  members: readonly Member[],
  writer: ComponentWriter,
  writeType: (type: TypeNode) => number,
  lift: (type: FuncType) => number,
): number {
  const args: (readonly [string, Sort, number])[] = []
  const budget = createTypeBudget()
  /** By the index that they have outside. */
  const resources = new Map<number, number>()
  const importResource = (type: TypeNode): number => {
    const outer = writeType(type)
    const known = resources.get(outer)
    const name = `type-${args.length}`
    args.push([name, 'type', outer])
    const index = named.importAs(name, 'type', [3, known === undefined ? [1] : [0, leb(known)]])
    if (known === undefined) resources.set(outer, index)
    return index
  }
  /** Records and the like must have names in the types of imports and exports. */
  const importValue = (type: TypeNode, target: TypeNode): number => {
    const written = writeInto(target, named, budget)
    const name = `type-${args.length}`
    args.push([name, 'type', writeType(type)])
    return named.importAs(name, 'type', [3, 0, leb(written)])
  }
  const importType = (type: TypeNode): number => {
    if (resolved(type).kind === 'resource') return importResource(type)
    if (type.kind === 'imported') return writeInto(type.target, named, budget)
    return type.kind === 'named' ? importValue(type, type.target) : writeType(type)
  }
  const named: ComponentWriter = createComponentWriter(importType)
  const functions = members.map(({ sort, type }): number => {
    if (sort === 'type') return writeInto(type, named, budget)
    const name = `func-${args.length}`
    args.push([name, 'func', lift(type as FuncType)])
    return named.importAs(name, 'func', [1, leb(writeInto(type, named, budget))])
  })
  // From here on under the names that they have outside.
  const imported = new Map(named.known)
  named.known.clear()
  members.forEach(({ name, sort, type }, index) => {
    if (sort === 'type')
      named.known.set(type, named.exportAs(name, 'type', imported.get(type) as number))
    else {
      const written = writeInto(type, named, budget)
      named.exportAs(name, 'func', functions[index] as number, written)
    }
  })
  return writer.instantiate(writer.component(named.finish()), args)
}

/** Core functions that the module imports: to make and drop handles. By their index in it. */
function createHelpers(
  writer: ComponentWriter,
  own: ReadonlySet<TypeNode>,
  writeType: (type: TypeNode) => number,
) {
  const indices = new Map<string, number>()
  const made: { readonly what: 'new' | 'drop'; readonly func: number }[] = []
  const helper = (what: 'new' | 'drop', type: TypeNode): number => {
    const resource = writeType(type)
    const key = `${what} ${resource}`
    const known = indices.get(key)
    if (known !== undefined) return known
    const index = made.push({ what, func: writer.resourceFunction(what, resource) }) - 1
    indices.set(key, index)
    return index
  }
  return {
    isOwn: (type: TypeNode): boolean => own.has(type) || own.has(resolved(type)),
    helper,
    kinds: (): readonly ('new' | 'drop')[] => made.map(({ what }) => what),
    bundle: (): number => writer.coreBundle(made.map(({ func }, index) => [String(index), func])),
  }
}
