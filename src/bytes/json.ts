import { SpindleError } from '../errors.ts'
import { decodeUtf8, encodeUtf8 } from './text.ts'

/** What JSON can say. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** A parsed object with no prototype trouble: `__proto__` in the text is an own key, never a setter. */
export type JsonObject = { readonly [key: string]: unknown }

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * UTF-8 JSON to a value.
 * @throws `ERR_CONTENT_INVALID` naming `what`, for anything else.
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  const text = decodeUtf8(bytes)
  if (text === undefined) throw new SpindleError('ERR_CONTENT_INVALID', `${what} is not UTF-8`)
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

/**
 * As `parseJson`, but refuses an object that says one key twice: readers differ on which counts,
 * and what is signed may have one reading only.
 * @throws `ERR_CONTENT_INVALID` naming `what`.
 */
export function parseUniqueJson(bytes: Uint8Array, what: string): unknown {
  const value = parseJson(bytes, what)
  // Well-formed from here on, so tokens can be told apart without a grammar.
  const open: (Set<string> | undefined)[] = []
  const text = decodeUtf8(bytes) ?? ''
  for (const [token, string, colon] of text.matchAll(/[{}[\]]|("(?:[^"\\]|\\.)*")\s*(:)?/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (colon !== undefined) {
      const key = JSON.parse(string!) as string
      if (open.at(-1)!.has(key))
        throw new SpindleError('ERR_CONTENT_INVALID', `${what} says "${key}" twice`)
      open.at(-1)!.add(key)
    }
  }
  return value
}

/**
 * As `parseJson`, also for text with control characters inside its strings: older versions of
 * Spin's CLI write manifests so when a description has a line break.
 */
export function parseLooseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return parseJson(bytes, what)
  } catch (error) {
    const text = decodeUtf8(bytes)
    if (text === undefined) throw error
    const escaped = escapeControls(text)
    if (escaped === text) throw error
    return parseJson(encodeUtf8(escaped), what)
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
