import { SpindleError } from '../errors.ts'
import { decodeUtf8, encodeUtf8 } from './text.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

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
  } catch (cause) {
    throw new SpindleError('ERR_CONTENT_INVALID', `${what} is not JSON: ${(cause as Error).message}`, { cause })
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
      if (open.at(-1)!.has(key)) throw new SpindleError('ERR_CONTENT_INVALID', `${what} says "${key}" twice`)
      open.at(-1)!.add(key)
    }
  }
  return value
}

/**
 * Compact JSON with keys in code unit order: the same value gives the same bytes.
 * `undefined` members are left out, as `JSON.stringify` does.
 */
export function formatCanonicalJson(value: unknown): Uint8Array<ArrayBuffer> {
  return encodeUtf8(canonical(value))
}

// Not `JSON.stringify` over a sorted copy: engines list integer-like keys first whatever their order.
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isJsonObject(value)) return JSON.stringify(value) ?? 'null'
  const keys = Object.keys(value).filter((key) => value[key] !== undefined).sort()
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`
}
