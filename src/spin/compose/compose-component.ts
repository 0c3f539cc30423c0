import { SpindleError, AppInvalid } from '../../errors.ts'
import { exportForImport, fillsImport } from '../manifest/import-names.ts'
import { isInherited } from './capabilities.ts'
import { createTypeTable, type Member, resolved } from './component-types.ts'
import { memberOf } from './read-component-type.ts'
import { isComponent, readWorld } from './read-world.ts'
import { createComposition, type Guest } from './composition.ts'

/** A component that gives another what it imports. */
export interface Supplier {
  /** What it is for: `ns:package[/interface][@version]`, or a plain name. */
  readonly name: string
  /** Its export. Default: the one of the import's own name. */
  readonly export?: string | undefined
  /** What it may use of what the composed component is granted. */
  readonly inherit?: 'all' | readonly string[] | undefined
  readonly wasm: Uint8Array
}

interface ComposeOptions {
  /** What the component itself may use. Default `all`. */
  readonly inherit?: 'all' | readonly string[] | undefined
  /** The interface whose exports are kept. Default: all exports. */
  readonly only?: string
  /** Names the component in messages. */
  readonly what: string
}

/**
 * Makes one component of several, as `wac` and Spin's loader do: the imports for which there is a
 * supplier are its exports, all other imports are those of the composition. What a supplier doesn't
 * inherit is answered inside of the composition, so that hosts need to know nothing of it.
 *
 * Rejects with `ERR_APP_INVALID` where a supplier and an import don't fit, `ERR_UNSUPPORTED` for
 * what is not a component or uses features that no interface of WIT does, `ERR_CONTENT_INVALID`,
 * `ERR_LIMIT_EXCEEDED`.
 *
 * @see {@link https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md Component Model, Binary Format}
 */
export function composeComponent(
  wasm: Uint8Array,
  suppliers: readonly Supplier[],
  { what, only, inherit = 'all' }: ComposeOptions,
): Uint8Array {
  if (!isComponent(wasm))
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `${what} has dependencies, but is a core module: build it as a component (wasm32-wasip2), or push with "uncomposed" (--compose=false) for hosts that compose`,
    )
  const main = guestOf(wasm, what)
  const guests = suppliers.map((supplier) =>
    guestOf(supplier.wasm, `the dependency ${JSON.stringify(supplier.name)} of ${what}`),
  )
  const filled = matchImports(main, suppliers, guests)
  const denied = (guest: Guest, of: Supplier['inherit']): Member[] =>
    guest.world.imports.filter(({ name, sort }) => sort === 'instance' && !isInherited(name, of))
  const deniedOf = new Map<Guest, Member[]>([
    [main, denied(main, inherit).filter(({ name }) => !filled.has(name))],
    ...guests.map((guest, index) => [guest, denied(guest, suppliers[index]?.inherit)] as const),
  ])
  const isFromHost = (guest: Guest, { name }: Member): boolean =>
    !(guest === main && filled.has(name)) &&
    deniedOf.get(guest)?.some((member) => member.name === name) !== true

  const composition = createComposition([main, ...guests], isFromHost)
  const put = (guest: Guest): number => {
    composition.giveHostImports(guest)
    for (const member of deniedOf.get(guest) ?? []) composition.deny(guest, member)
    return composition.instantiate(guest)
  }
  const instances = guests.map(put)
  for (const [name, { supplier, member }] of filled) {
    composition.give(main, name, instances[supplier] as number, member)
  }
  const instance = put(main)
  const exports = main.world.exports.filter(
    ({ name }) => only === undefined || fillsImport(only, name),
  )
  if (exports.length === 0)
    throw new AppInvalid([
      { code: 'composition', message: `${what} exports no ${JSON.stringify(only)}` },
    ])
  for (const { name, sort } of exports) composition.export(instance, name, sort)
  return composition.finish()
}

function guestOf(wasm: Uint8Array, what: string): Guest {
  return { what, wasm, world: readWorld(wasm, what), instances: new Map(), items: new Map() }
}

interface Filled {
  readonly supplier: number
  readonly member: Member
}

function matchImports(
  main: Guest,
  suppliers: readonly Supplier[],
  guests: readonly Guest[],
): ReadonlyMap<string, Filled> {
  const filled = new Map<string, Filled>()
  const typeNumber = createTypeTable()
  suppliers.forEach((supplier, index) => {
    const wanted = main.world.imports.filter(({ name }) => fillsImport(supplier.name, name))
    const exports = guests[index]?.world.exports ?? []
    const dependency = JSON.stringify(supplier.name)
    if (wanted.length === 0)
      throw new AppInvalid([
        {
          code: 'composition',
          message: `${main.what} has no import for its dependency ${dependency}`,
        },
      ])
    for (const member of wanted) {
      const other = filled.get(member.name)
      if (other !== undefined)
        throw new AppInvalid([
          {
            code: 'composition',
            message: `${main.what} has two dependencies for its import ${JSON.stringify(member.name)}: ${JSON.stringify(suppliers[other.supplier]?.name)} and ${dependency}; keep one of them`,
          },
        ])
      const name = exportForImport(
        member.name,
        exports.map((one) => one.name),
        supplier.export,
      )
      const found = exports.find((one) => one.name === name)
      if (found === undefined)
        throw new AppInvalid([
          {
            code: 'composition',
            message: `the dependency ${dependency} of ${main.what} exports no ${JSON.stringify(supplier.export ?? member.name)}`,
          },
        ])
      const problem = mismatch(member, found, typeNumber)
      if (problem !== undefined)
        throw new AppInvalid([
          {
            code: 'composition',
            message: `the dependency ${dependency} of ${main.what} exports ${JSON.stringify(found.name)}, which does not fit the import ${JSON.stringify(member.name)}: ${problem}`,
          },
        ])
      filled.set(member.name, { supplier: index, member: found })
    }
  })
  return filled
}

/** Why an export can't be an import. Whose resources they use is only known to a host. */
function mismatch(
  wanted: Member,
  given: Member,
  typeNumber: ReturnType<typeof createTypeTable>,
): string | undefined {
  if (wanted.sort !== given.sort) return `it is a ${given.sort}, not a ${wanted.sort}`
  if (wanted.type.kind === 'instance') {
    for (const member of wanted.type.members) {
      const found = memberOf(given.type, member.name)
      if (found === undefined) return `it has no ${JSON.stringify(member.name)}`
      if (!isSame(member, found, typeNumber))
        return `its ${JSON.stringify(member.name)} is of another type`
    }
    return undefined
  }
  return isSame(wanted, given, typeNumber) ? undefined : 'it is of another type'
}

function isSame(
  one: Member,
  other: Member,
  typeNumber: ReturnType<typeof createTypeTable>,
): boolean {
  if (one.sort !== other.sort) return false
  // Types that are made inside of a component are not followed everywhere.
  if (resolved(other.type).kind === 'internal') return true
  return typeNumber(one.type) === typeNumber(other.type)
}
