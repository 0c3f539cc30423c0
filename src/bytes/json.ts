import { SpindleError } from '../errors.ts'
import {
  type DocumentLimits,
  mostPoints,
  POINTS,
  pointsOfLength,
  tooDeep,
  tooManyKeys,
} from './document-limits.ts'
import { decodeUtf8, encodeUtf8 } from './text.ts'

/** What JSON can say. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** A parsed object with no prototype trouble: `__proto__` in the text is an own key, never a setter. */
export type JsonObject = { readonly [key: string]: unknown }

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a value is an object literal, parsed JSON or has no prototype: no list, `Map` or class instance. */
export function isPlainObject(value: unknown): value is JsonObject {
  if (!isJsonObject(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Only an `Object.prototype`, of whichever realm, has no prototype itself.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/**
 * Most keys of one document: an invoice of 10 000 parcels with those that are missing has 180 000.
 * The worst document that passes takes less than 0.2 s and 64 MiB (measured).
 */
export const MAX_JSON_KEYS = 200_000

/** Deeper documents only exist to overflow a stack; the deepest in use have some 20 levels. */
export const MAX_JSON_DEPTH = 128

const JSON_LIMITS: DocumentLimits = { maxKeys: MAX_JSON_KEYS, maxDepth: MAX_JSON_DEPTH }

/** The limits of a reader whose user can raise one of them. */
export function jsonLimits(maxKeys: number | undefined, option: string): DocumentLimits {
  return { maxKeys: maxKeys ?? MAX_JSON_KEYS, maxDepth: MAX_JSON_DEPTH, option }
}

/**
 * UTF-8 JSON to a value. Nothing is built of a document that is beyond the limits.
 * @throws `ERR_LIMIT_EXCEEDED`, `ERR_CONTENT_INVALID`; both name `what`.
 */
export function parseJson(
  bytes: Uint8Array,
  what: string,
  limits: DocumentLimits = JSON_LIMITS,
): unknown {
  return parseText(decode(bytes, what, limits), what)
}

function decode(bytes: Uint8Array, what: string, limits: DocumentLimits): string {
  assertJsonWithin(bytes, limits, what)
  const text = decodeUtf8(bytes)
  if (text === undefined) throw new SpindleError('ERR_CONTENT_INVALID', `${what} is not UTF-8`)
  return text
}

function parseText(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // The engine's own words quote the text, in which a server may have put a secret: no cause either.
    const place = /\b(?:at )?(?:position \d+|line \d+ column \d+)/.exec((error as Error).message)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `${what} is not JSON${place === null ? '' : ` (${place[0]})`}`,
    )
  }
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c

/**
 * Counts what a parser would build. Up to the first mistake, where a parser stops, it sees the same
 * strings and brackets as one.
 * @throws `ERR_LIMIT_EXCEEDED`
 */
function assertJsonWithin(bytes: Uint8Array, limits: DocumentLimits, what: string): void {
  const most = mostPoints(limits)
  let points = pointsOfLength(bytes.length)
  let depth = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === QUOTE) at = endOfString(bytes, at)
    else if (byte === COLON) points += POINTS.key
    else if (byte === COMMA) points += POINTS.element
    // `[` and `{`, `]` and `}` are two apart by one bit.
    else if ((byte | 0x20) === 0x7b) {
      points += POINTS.element
      if (++depth > limits.maxDepth) throw tooDeep(what, limits)
    } else if ((byte | 0x20) === 0x7d) depth--
    else continue
    if (points > most) throw tooManyKeys(what, limits)
  }
  if (points > most) throw tooManyKeys(what, limits)
}

/** Index of the quote that ends the string which begins at `start`. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1
  for (; at < bytes.length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++
  return at
}

/**
 * As `parseJson`, but refuses an object that says one key twice: readers differ on which counts,
 * and what is signed may have one reading only.
 * @throws as `parseJson`
 */
export function parseUniqueJson(
  bytes: Uint8Array,
  what: string,
  limits: DocumentLimits = JSON_LIMITS,
): unknown {
  const text = decode(bytes, what, limits)
  const value = parseText(text, what)
  // Well-formed from here on, so tokens can be told apart without a grammar.
  const open: (Set<string> | undefined)[] = []
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === 0x7b) open.push(new Set())
    else if (byte === 0x5b) open.push(undefined)
    else if ((byte | 0x20) === 0x7d) open.pop()
    else if (byte === QUOTE) {
      const start = at
      at = endOfString(bytes, at)
      if (!isFollowedByColon(bytes, at)) continue
      const key = JSON.parse(decodeUtf8(bytes.subarray(start, at + 1))!) as string
      if (open.at(-1)!.has(key))
        throw new SpindleError('ERR_CONTENT_INVALID', `${what} says "${key}" twice`)
      open.at(-1)!.add(key)
    }
  }
  return value
}

function isFollowedByColon(bytes: Uint8Array, end: number): boolean {
  let at = end + 1
  while (at < bytes.length && bytes[at]! <= 0x20) at++
  return bytes[at] === COLON
}

/**
 * As `parseJson`, also for text with control characters inside its strings: older versions of
 * Spin's CLI write manifests so when a description has a line break.
 */
export function parseLooseJson(bytes: Uint8Array, what: string): unknown {
  const text = decode(bytes, what, JSON_LIMITS)
  try {
    return parseText(text, what)
  } catch (error) {
    const escaped = escapeControls(text)
    if (escaped === text) throw error
    return parseText(escaped, what)
  }
}

// By hand: a regular expression over whole strings would go as deep as they are long.
function escapeControls(text: string): string {
  let inString = false
  let escaped = ''
  let from = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) inString = !inString
    else if (inString && code === 0x5c) at++
    else if (inString && code < 0x20) {
      escaped += `${text.slice(from, at)}\\u${code.toString(16).padStart(4, '0')}`
      from = at + 1
    }
  }
  return escaped + text.slice(from)
}

/**
 * Compact JSON with keys in code unit order: the same value gives the same bytes.
 * `undefined` members are left out, as `JSON.stringify` does.
 */
export function formatCanonicalJson(value: unknown): Uint8Array<ArrayBuffer> {
  return encodeUtf8(canonicalJson(value))
}

/** As `formatCanonicalJson`, as text. */
// Not `JSON.stringify` over a sorted copy: engines list integer-like keys first whatever their order.
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (!isJsonObject(value)) return JSON.stringify(value) ?? 'null'
  const keys = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort()
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`).join(',')}}`
}

/** A table of free keys without a prototype, so that no key in it is anything but data. */
export function toRecord<T>(entries: Iterable<readonly [string, T]>): Readonly<Record<string, T>> {
  const record = Object.create(null) as Record<string, T>
  for (const [key, value] of entries) record[key] = value
  return record
}

/** As `record[key]` for own keys only. */
export function ownValue<T>(
  record: Readonly<Record<string, T>> | undefined,
  key: string,
): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
}
