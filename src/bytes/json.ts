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
