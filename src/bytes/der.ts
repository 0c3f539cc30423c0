/**
 * Distinguished Encoding Rules, the subset that certificates, keys, signatures and timestamps use.
 *
 * Strict: definite lengths in their shortest form, single-byte tags, minimal integers, nothing left
 * over. What is refused here can't be read differently by somebody else.
 *
 * @see https://www.itu.int/rec/T-REC-X.690 sections 8.1 and 10
 */
import { SpindleError } from '../errors.ts'
import { formatHex } from './hex.ts'
import { concat } from './stream.ts'
import { decodeUtf8 } from './text.ts'

/** One element. */
export interface Der {
  /** Identifier octet: class, constructed bit and number. */
  readonly tag: number
  /** The contents. */
  readonly value: Uint8Array
  /** Identifier, length and contents. */
  readonly raw: Uint8Array
}

/** Longest input: certificates have 1–4 KiB, a timestamp with its chain 6 KiB. */
export const MAX_DER_BYTES: number = 64 * 1024

export const DER_BOOLEAN = 0x01
export const DER_INTEGER = 0x02
export const DER_BIT_STRING = 0x03
export const DER_OCTET_STRING = 0x04
export const DER_NULL = 0x05
export const DER_OID = 0x06
export const DER_UTF8_STRING = 0x0c
export const DER_UTC_TIME = 0x17
export const DER_GENERALIZED_TIME = 0x18
export const DER_SEQUENCE = 0x30
export const DER_SET = 0x31

function malformed(what: string): SpindleError {
  return new SpindleError('ERR_CONTENT_INVALID', `malformed DER: ${what}`)
}

/** Exactly one element, nothing behind it. */
export function parseDer(bytes: Uint8Array): Der {
  if (bytes.length > MAX_DER_BYTES)
    throw new SpindleError('ERR_LIMIT_EXCEEDED', `DER is longer than ${MAX_DER_BYTES} bytes`)
  const element = readElement(bytes, 0)
  if (element.raw.length !== bytes.length) throw malformed('bytes after the end')
  return element
}

/** What is in a SEQUENCE, or in what has another tag; given as an element or as its bytes. */
export function derMembers(
  around: Der | Uint8Array | undefined,
  tag: number = DER_SEQUENCE,
): Der[] {
  return derElements(expectDer(around instanceof Uint8Array ? parseDer(around) : around, tag).value)
}

/** A run of elements without anything around them. */
export function derElements(bytes: Uint8Array): Der[] {
  const elements: Der[] = []
  for (let at = 0; at < bytes.length;) {
    const element = readElement(bytes, at)
    elements.push(element)
    at += element.raw.length
  }
  return elements
}

function readElement(bytes: Uint8Array, start: number): Der {
  const tag = bytes[start]
  let length = bytes[start + 1]
  if (tag === undefined || length === undefined) throw malformed('cut short')
  if ((tag & 0x1f) === 0x1f || tag === 0) throw malformed('unsupported tag')
  let at = start + 2
  if (length >= 0x80) {
    const count = length & 0x7f
    // Three bytes of length are more than any bounded input has; 0x80 is the indefinite form.
    if (count === 0 || count > 3) throw malformed('unsupported length')
    length = 0
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[at++] ?? 0)
    if (length < (count === 1 ? 0x80 : 256 ** (count - 1)))
      throw malformed('length not in its shortest form')
  }
  if (at + length > bytes.length) throw malformed('cut short')
  return { tag, value: bytes.subarray(at, at + length), raw: bytes.subarray(start, at + length) }
}

/** The element, if it has that tag. */
export function expectDer(element: Der | undefined, tag: number): Der {
  if (element?.tag !== tag) throw malformed(`tag ${tag} expected, not ${element?.tag ?? 'the end'}`)
  return element
}

/** The contents of an INTEGER, sign byte and all, checked for the shortest form. */
export function derIntegerBytes(element: Der | undefined): Uint8Array {
  const { value } = expectDer(element, DER_INTEGER)
  const [first, second] = value
  if (
    first === undefined ||
    (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
  )
    throw malformed('integer not in its shortest form')
  return value
}

/** A small INTEGER, zero or more. */
export function derSmallInteger(element: Der | undefined): number {
  const bytes = derIntegerBytes(element)
  if (bytes.length > 4 || bytes[0]! >= 0x80) throw malformed('integer out of range')
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0)
}

export function derBoolean(element: Der | undefined): boolean {
  const { value } = expectDer(element, DER_BOOLEAN)
  if (value.length !== 1 || (value[0] !== 0 && value[0] !== 0xff)) throw malformed('boolean')
  return value[0] === 0xff
}

/** The bits of a BIT STRING that is made of whole bytes. */
export function derBits(element: Der | undefined): Uint8Array {
  const { value } = expectDer(element, DER_BIT_STRING)
  if (value[0] !== 0) throw malformed('bit string')
  return value.subarray(1)
}

/** Dotted notation. */
export function derOid(element: Der | undefined): string {
  const { value } = expectDer(element, DER_OID)
  const arcs: number[] = []
  let arc = 0
  let starts = true
  for (const byte of value) {
    if ((starts && byte === 0x80) || arc > 2 ** 40) throw malformed('object identifier')
    arc = arc * 128 + (byte & 0x7f)
    starts = byte < 0x80
    if (!starts) continue
    if (arcs.length === 0) {
      const root = Math.min(2, Math.floor(arc / 40))
      arcs.push(root, arc - root * 40)
    } else arcs.push(arc)
    arc = 0
  }
  if (!starts || arcs.length === 0) throw malformed('object identifier')
  return arcs.join('.')
}

/** UTCTime or GeneralizedTime (with or without a fraction) to milliseconds since 1970. */
export function derTime(element: Der | undefined): number {
  let text = decodeUtf8(element?.value ?? new Uint8Array()) ?? ''
  // RFC 5280, 4.1.2.5.1: two-digit years below 50 are of this century.
  if (element?.tag === DER_UTC_TIME && text.length === 13) text = (text < '5' ? '20' : '19') + text
  else if (element?.tag !== DER_GENERALIZED_TIME) text = ''
  const [, year, month, day, hour, minute, second, fraction = ''] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d{1,9})?Z$/.exec(text) ?? []
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const at = Date.parse(`${iso}Z`)
  // What rolls over, as the 30th of February does, comes back as another date.
  if (Number.isNaN(at) || !new Date(at).toISOString().startsWith(iso)) throw malformed('time')
  return at + Math.floor(Number(`0${fraction}`) * 1000)
}

/** UTF8String contents. */
export function derUtf8(element: Der | undefined): string {
  const text = decodeUtf8(expectDer(element, DER_UTF8_STRING).value)
  if (text === undefined) throw malformed('string')
  return text
}

/** Compares contents; not for secrets. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && formatHex(a) === formatHex(b)
}

/** One element around the given contents. */
export function formatDer(
  tag: number,
  ...contents: readonly Uint8Array[]
): Uint8Array<ArrayBuffer> {
  const value = concat(contents)
  const length: number[] = []
  for (let rest = value.length; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256)
  const header = value.length < 0x80 ? [tag, value.length] : [tag, 0x80 | length.length, ...length]
  return concat([Uint8Array.from(header), value])
}

/** An INTEGER of a magnitude given as big-endian bytes. */
export function formatDerInteger(magnitude: Uint8Array): Uint8Array<ArrayBuffer> {
  let from = 0
  while (from < magnitude.length - 1 && magnitude[from] === 0) from++
  const bytes = magnitude.subarray(from)
  const sign = bytes.length === 0 || bytes[0]! >= 0x80 ? [0] : []
  return formatDer(DER_INTEGER, Uint8Array.from(sign), bytes)
}

/** An OBJECT IDENTIFIER from dotted notation. */
export function formatDerOid(dotted: string): Uint8Array<ArrayBuffer> {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes: number[] = []
  for (const arc of [first * 40 + second, ...rest]) {
    const septets = [arc % 128]
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128))
      septets.unshift((high % 128) | 0x80)
    bytes.push(...septets)
  }
  return formatDer(DER_OID, Uint8Array.from(bytes))
}
