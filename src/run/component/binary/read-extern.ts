import type { Alias, CoreSort, ExternType, Sort } from './model.ts'
import type { Reader } from './reader.ts'

const SORTS: ReadonlyArray<Sort | undefined> = [
  undefined,
  'func',
  'value',
  'type',
  'component',
  'instance',
]

const CORE_SORTS: Readonly<Record<number, CoreSort | undefined>> = {
  0x00: 'func',
  0x01: 'table',
  0x02: 'memory',
  0x03: 'global',
  0x04: 'tag',
  0x10: 'type',
  0x11: 'module',
  0x12: 'instance',
}

export function readCoreSort(r: Reader): CoreSort {
  const code = r.byte()
  return CORE_SORTS[code] ?? r.unknown('core sort', code)
}

export function readSort(r: Reader): Sort {
  const code = r.byte()
  if (code === 0) return `core ${readCoreSort(r)}`
  return SORTS[code] ?? r.unknown('sort', code)
}

/** Import and export names: a form byte, then the name. The second form came from an older draft. */
export function readExternName(r: Reader): string {
  const form = r.byte()
  if (form > 1) r.unsupported(`extern name of form 0x${form.toString(16)}`)
  return r.name()
}

export function readExternType(r: Reader): ExternType {
  const code = r.byte()
  switch (code) {
    case 0x00:
      if (r.byte() !== 0x11) r.fail('a core import can only be a module')
      return { kind: 'core module', index: r.u32() }
    case 0x01:
      return { kind: 'func', index: r.u32() }
    case 0x02:
      return r.unsupported('values')
    case 0x03: {
      const bound = r.byte()
      if (bound > 1) r.unknown('type bound', bound)
      return { kind: 'type', equals: bound === 0 ? r.u32() : undefined }
    }
    case 0x04:
      return { kind: 'component', index: r.u32() }
    case 0x05:
      return { kind: 'instance', index: r.u32() }
    default:
      return r.unknown('extern type', code)
  }
}

export function readAlias(r: Reader): Alias {
  const sort = readSort(r)
  const target = r.byte()
  switch (target) {
    case 0x00:
      return { kind: 'alias', sort, from: 'export', instance: r.u32(), name: r.name() }
    case 0x01:
      return { kind: 'alias', sort, from: 'core export', instance: r.u32(), name: r.name() }
    case 0x02:
      return { kind: 'alias', sort, from: 'outer', count: r.u32(), index: r.u32() }
    default:
      return r.unknown('alias target', target)
  }
}
