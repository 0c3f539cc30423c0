import { SpindleError } from '../../errors.ts'
import type { Member, TypeNode, TypeOrigin, World } from './component-types.ts'
import {
  createScope,
  declare,
  INTERNAL,
  type Instance,
  MAX_TYPE_DEPTH,
  readAlias,
  readExtern,
  readExternName,
  readMember,
  readSort,
  readType,
  type Scope,
  typeAt,
} from './read-component-type.ts'
import { createReader, type Reader } from './wasm-reader.ts'

const COMPONENT = '0,97,115,109,13,0,1,0'

export function isComponent(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 8).join() === COMPONENT
}

/**
 * Reads what a component imports and exports, with the types of both. Code is passed over.
 *
 * Throws `ERR_CONTENT_INVALID` for malformed bytes and `ERR_UNSUPPORTED` for features that no
 * interface of WIT uses. `what` names the component in messages.
 *
 * @see {@link https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md Component Model, Binary Format}
 */
export function readWorld(bytes: Uint8Array, what: string): World {
  if (!isComponent(bytes)) throw new SpindleError('ERR_UNSUPPORTED', `${what} is not a component`)
  return readComponent(createReader(bytes, 8, bytes.length, what), 0)
}
function readComponent(r: Reader, level: number, outer?: Scope): World {
  if (level > MAX_TYPE_DEPTH) r.fail('components are nested too deep')
  const scope = createScope(outer)
  const imports: Member[] = []
  const exports: Member[] = []
  const origins = new Map<TypeNode, TypeOrigin>()
  while (!r.done) {
    const id = r.byte()
    const section = r.slice(r.u32())
    switch (id) {
      case 4:
        section.slice(8)
        scope.components.push(readComponent(section, level + 1, scope))
        break
      case 5:
        section.vector(() => scope.instances.push(readInstance(section, scope)))
        break
      case 6:
        section.vector(() => readAlias(section, scope))
        break
      case 7:
        section.vector(() => scope.types.push(readType(section, scope, 0)))
        break
      case 8:
        section.vector(() => readCanon(section, scope))
        break
      case 10:
        section.vector(() => {
          const member = readMember(section, scope)
          imports.push(member)
          declare(scope, member, member.name)
          if (member.type.kind !== 'instance') return
          for (const { name, sort, type } of member.type.members)
            if (sort === 'type') origins.set(type, { from: member.name, name })
        })
        break
      case 11:
        section.vector(() => {
          const name = readExternName(section)
          const sort = readSort(section)
          const own = typeAt(scope, sort, section.u32())
          const ascribed = section.byte() === 1 ? readExtern(section, scope).type : own
          const member = { name, sort, type: ascribed }
          exports.push(member)
          declare(scope, member, undefined)
        })
        break
      default:
        // Core modules, custom sections and the like say nothing about interfaces.
        if (id > 12) r.fail(`unknown section ${id}`)
    }
  }
  return { imports, exports, origins }
}

function readInstance(r: Reader, scope: Scope): Instance {
  const form = r.byte()
  if (form === 0) {
    const component = scope.components[r.u32()] ?? r.fail('there is no such component')
    r.vector(() => [r.name(), readSort(r), r.u32()])
    return { from: undefined, type: { kind: 'instance', members: component.exports } }
  }
  if (form !== 1) r.fail('unknown form of instance')
  const bundled = r.vector((): Member => {
    const name = readExternName(r)
    const sort = readSort(r)
    return { name, sort, type: typeAt(scope, sort, r.u32()) }
  })
  return { from: undefined, type: { kind: 'instance', members: bundled } }
}

/** Only functions that are lifted count: the other canonical definitions make core functions. */
function readCanon(r: Reader, scope: Scope): void {
  const code = r.byte()
  if (code > 0x01) return skipBuiltin(r, code)
  r.byte()
  r.u32()
  skipOptions(r)
  if (code === 0x00) scope.funcs.push(scope.types[r.u32()] ?? INTERNAL)
}

function skipOptions(r: Reader): void {
  r.vector(() => {
    const code = r.byte()
    if (code > 0x07) r.unsupported(`the canonical option 0x${code.toString(16)}`)
    if (code >= 0x03 && code !== 0x06) r.u32()
  })
}

const TASK_RETURN = 0x09

/** What follows the codes of built-in functions: numbers (or flags, which are as long), then options. */
const BUILTINS: ReadonlyMap<number, { readonly numbers: number; readonly options?: true }> =
  new Map<number, { numbers: number; options?: true }>([
    ...[0x05, 0x0d, 0x1e, 0x1f, 0x22, 0x23, 0x24, 0x25, 0x26].map(
      (code) => [code, { numbers: 0 }] as const,
    ),
    ...[0x02, 0x03, 0x04, 0x06, 0x08, 0x0c].map((code) => [code, { numbers: 1 }] as const),
    ...[0x0a, 0x0b, 0x20, 0x21].map((code) => [code, { numbers: 2 }] as const),
    [TASK_RETURN, { numbers: 2, options: true }],
    // Of streams, then of futures: new, read, write, cancel-read, cancel-write, and two drops.
    ...[0x0e, 0x15].flatMap((first) => [
      [first, { numbers: 1 }] as const,
      [first + 1, { numbers: 1, options: true }] as const,
      [first + 2, { numbers: 1, options: true }] as const,
      [first + 3, { numbers: 2 }] as const,
      [first + 4, { numbers: 2 }] as const,
      [first + 5, { numbers: 1 }] as const,
      [first + 6, { numbers: 1 }] as const,
    ]),
    [0x1c, { numbers: 0, options: true }],
    [0x1d, { numbers: 0, options: true }],
  ])

function skipBuiltin(r: Reader, code: number): void {
  const found =
    BUILTINS.get(code) ?? r.unsupported(`the built-in function 0x${code.toString(16)} is unknown`)
  for (let left = found.numbers; left > 0; left--) r.u32()
  if (found.options === true) skipOptions(r)
}
