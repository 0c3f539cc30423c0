import { SpindleError } from '../../../errors.ts'
import type { ComponentDef, Definition, SortIndex } from './model.ts'
import { readCanon } from './read-canon.ts'
import { readCoreType } from './read-core-type.ts'
import { readAlias, readCoreSort, readExternName, readExternType, readSort } from './read-extern.ts'
import { readTypeDef } from './read-types.ts'
import { createReader, MAX_DEPTH, type Reader } from './reader.ts'

/** Largest component that is read: a StarlingMonkey app has 12 MiB, and all of it is held in memory. */
const MAX_COMPONENT_BYTES: number = 256 * 1024 * 1024

type WasmKind = 'component' | 'module' | 'neither'

/** By the first eight bytes: magic, then version and layer. */
export function wasmKind(bytes: Uint8Array): WasmKind {
  if (
    bytes.length < 8 ||
    bytes[0] !== 0 ||
    bytes[1] !== 0x61 ||
    bytes[2] !== 0x73 ||
    bytes[3] !== 0x6d
  )
    return 'neither'
  const rest = [bytes[4], bytes[5], bytes[6], bytes[7]].join()
  if (rest === '13,0,1,0') return 'component'
  return rest === '1,0,0,0' ? 'module' : 'neither'
}

/**
 * Reads a component binary into definitions. Nothing is compiled or resolved yet.
 *
 * Rejects with `ERR_CONTENT_INVALID` where the bytes are malformed, `ERR_UNSUPPORTED` where they use
 * a feature that can't be run (both name the byte), `ERR_LIMIT_EXCEEDED` above `maxBytes`.
 */
export function parseComponent(
  bytes: Uint8Array,
  options: { maxBytes?: number } = {},
): ComponentDef {
  const limit = options.maxBytes ?? MAX_COMPONENT_BYTES
  if (bytes.length > limit) {
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `component has ${bytes.length} bytes, more than the limit of ${limit}`,
    )
  }
  return readComponent(createReader(bytes), 0)
}

/** Reads a component from its first byte to the reader's end; `onCustom` sees its own custom sections. */
export function readComponent(
  r: Reader,
  depth: number,
  onCustom: (name: string, content: Reader) => void = () => {},
): ComponentDef {
  if (depth > MAX_DEPTH) r.fail('components are nested too deep')
  const head = r.bytes(8)
  const kind = wasmKind(head)
  if (kind === 'module') r.fail('this is a core module, not a component')
  if (kind === 'neither') r.fail('not a component of the version this library reads (0d 00 01 00)')
  const definitions: Definition[] = []
  while (!r.done) {
    const id = r.byte()
    const size = r.u32()
    const section = r.slice(size)
    if (id === 0) {
      onCustom(section.name(), section)
      continue
    }
    readSection(id, section, definitions, depth)
    if (!section.done) section.fail(`section ${id} has bytes left over`)
  }
  return { definitions }
}

function readSection(id: number, r: Reader, into: Definition[], depth: number): void {
  const each = (read: () => Definition): void => {
    r.vector(() => {
      const offset = r.offset
      into.push({ ...read(), offset })
    })
  }
  const rest = (): Uint8Array => r.bytes(r.size())
  switch (id) {
    case 1: {
      const offset = r.offset
      const bytes = rest()
      if (wasmKind(bytes) !== 'module') r.fail('a core module section holds no core module')
      into.push({ kind: 'core module', bytes, offset })
      return
    }
    case 2:
      return each(() => readCoreInstance(r))
    case 3:
      return each(() => {
        readCoreType(r)
        return { kind: 'core type' }
      })
    case 4: {
      const offset = r.offset
      into.push({ kind: 'component', component: readComponent(r, depth + 1), offset })
      return
    }
    case 5:
      return each(() => readInstance(r))
    case 6:
      return each(() => readAlias(r))
    case 7:
      return each(() => ({ kind: 'type', def: readTypeDef(r) }))
    case 8:
      return each(() => readCanon(r))
    case 9: {
      const { offset } = r
      const func = r.u32()
      if (r.vector(() => r.u32()).length > 0 || r.u32() !== 0)
        r.unsupported('start function with values')
      into.push({ kind: 'start', func, offset })
      return
    }
    case 10:
      return each(() => ({ kind: 'import', name: readExternName(r), type: readExternType(r) }))
    case 11:
      return each(() => ({
        kind: 'export',
        name: readExternName(r),
        item: readSortIndex(r),
        type: r.optional(() => readExternType(r)),
      }))
    case 12:
      return r.unsupported('values')
    default:
      return r.fail(`unknown section ${id}`)
  }
}

function readSortIndex(r: Reader): SortIndex {
  return { sort: readSort(r), index: r.u32() }
}

function readCoreInstance(r: Reader): Definition {
  const form = r.byte()
  if (form === 0) {
    const module = r.u32()
    const args = r.vector((): readonly [string, number] => {
      const name = r.name()
      if (r.byte() !== 0x12) r.fail('a core module is instantiated with instances only')
      return [name, r.u32()]
    })
    return { kind: 'core instantiate', module, args }
  }
  if (form !== 1) r.unknown('core instance', form)
  return {
    kind: 'core exports',
    exports: r.vector(() => [r.name(), readCoreSort(r), r.u32()] as const),
  }
}

function readInstance(r: Reader): Definition {
  const form = r.byte()
  if (form === 0) {
    const component = r.u32()
    return {
      kind: 'instantiate',
      component,
      args: r.vector(() => [r.name(), readSortIndex(r)] as const),
    }
  }
  if (form !== 1) r.unknown('instance', form)
  return {
    kind: 'exports',
    exports: r.vector(() => [readExternName(r), readSortIndex(r)] as const),
  }
}
