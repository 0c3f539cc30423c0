import { allocate, assertRange, charge, chargeLifted, views } from './memory.ts'
import type { Call } from './model.ts'
import { trap } from './runtime.ts'

const UTF16_TAG = 0x8000_0000
const MAX_STRING_BYTES = 0x7fff_ffff

// `ignoreBOM`: a BOM at the start is part of the string and stays.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const utf16 = new TextDecoder('utf-16le', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** `units` is what stands beside the pointer: bytes or code units, or tagged code units. */
export function loadString(call: Call, at: number, units: number): string {
  if (call.encoding === 'utf8') return decode(call, utf8, at, units, 1)
  if (call.encoding === 'utf16') return decode(call, utf16, at, units * 2, 2)
  if (units >= UTF16_TAG) return decode(call, utf16, at, (units - UTF16_TAG) * 2, 2)
  checkRange(call, at, units, 2)
  const bytes = views(call).bytes.subarray(at, at + units)
  // Not TextDecoder: its "latin1" is windows-1252.
  let text = ''
  for (let i = 0; i < bytes.length; i += 4096)
    text += String.fromCharCode(...bytes.subarray(i, i + 4096))
  return text
}

function checkRange(call: Call, at: number, length: number, align: number): void {
  if (length > MAX_STRING_BYTES) trap(`a string of ${length} bytes`)
  assertRange(call, at, length, align)
  // One character beyond Latin-1 makes all of them take two bytes.
  chargeLifted(call, length, 2 * length)
}

function decode(
  call: Call,
  decoder: TextDecoder,
  at: number,
  length: number,
  align: number,
): string {
  checkRange(call, at, length, align)
  try {
    // A copy where memory is shared would be needed; components have no shared memory.
    return decoder.decode(views(call).bytes.subarray(at, at + length))
  } catch {
    return trap(`a string that is not ${decoder.encoding}`)
  }
}

/** Writes a string into the guest's memory; resolves to its pointer and units. */
export function storeString(call: Call, value: string): readonly [at: number, units: number] {
  if (typeof value !== 'string')
    throw new TypeError(`a host gave ${typeof value} where a string is due`)
  if (call.encoding === 'utf8') {
    // Lone surrogates become U+FFFD, as the canonical ABI asks.
    charge(call, 2 * value.length)
    const bytes = encoder.encode(value)
    const at = allocate(call, bytes.length, 1)
    views(call).bytes.set(bytes, at)
    return [at, bytes.length]
  }
  charge(call, 4 * value.length)
  const text = wellFormed(value)
  if (call.encoding === 'latin1+utf16' && !/[\u0100-\uffff]/.test(text)) {
    const at = allocate(call, text.length, 2)
    const { bytes } = views(call)
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i)
    return [at, text.length]
  }
  const at = allocate(call, text.length * 2, 2)
  const { data } = views(call)
  for (let i = 0; i < text.length; i++) data.setUint16(at + i * 2, text.charCodeAt(i), true)
  return [at, call.encoding === 'utf16' ? text.length : text.length + UTF16_TAG]
}

function wellFormed(text: string): string {
  return text.replace(
    /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    '\ufffd',
  )
}
