import { readCoreSort } from './read-extern.ts'
import { MAX_DEPTH, type Reader } from './reader.ts'

/** Core types only constrain modules, which the engine links and checks itself: read past them. */
export function readCoreType(r: Reader, depth = 0): void {
  if (depth > MAX_DEPTH) r.fail('types are nested too deep')
  const code = r.byte()
  if (code === 0x60) {
    r.vector(() => readCoreValueType(r))
    r.vector(() => readCoreValueType(r))
  } else if (code === 0x50) {
    r.vector(() => readModuleDeclaration(r, depth))
  } else r.unsupported(`core type 0x${code.toString(16)}`)
}

function readCoreValueType(r: Reader): void {
  const code = r.byte()
  if (code === 0x64 || code === 0x63) r.s33()
  else if (code < 0x69 || code > 0x7f) r.unknown('core value type', code)
}

function readModuleDeclaration(r: Reader, depth: number): void {
  const code = r.byte()
  if (code === 0x00) {
    r.name()
    r.name()
    readImportDescription(r)
  } else if (code === 0x01) {
    readCoreType(r, depth + 1)
  } else if (code === 0x02) {
    readCoreSort(r)
    if (r.byte() !== 0x01) r.fail('a module type aliases outer types only')
    r.u32()
    r.u32()
  } else if (code === 0x03) {
    r.name()
    readImportDescription(r)
  } else r.unknown('module declaration', code)
}

function readImportDescription(r: Reader): void {
  const limits = (): void => {
    const flags = r.byte()
    if (flags > 3) r.unsupported('64-bit or custom-page memory')
    r.u32()
    if (flags & 1) r.u32()
  }
  const code = r.byte()
  if (code === 0x00) r.u32()
  else if (code === 0x01) {
    readCoreValueType(r)
    limits()
  } else if (code === 0x02) limits()
  else if (code === 0x03) {
    readCoreValueType(r)
    r.byte()
  } else if (code === 0x04) {
    r.byte()
    r.u32()
  } else r.unknown('core import', code)
}
