/**
 * Typed access to parsed JSON of unknown shape, in the JSON mapping of protocol buffers.
 *
 * Reads own properties only, so that `__proto__` and `constructor` are ordinary names. Error messages name
 * the path. @see https://protobuf.dev/programming-guides/json/
 */
import { parseBase64 } from '../../bytes/base64.ts'
import { isJsonObject } from '../../bytes/json.ts'
import { unknownName } from '../../bytes/known-names.ts'
import { SpindleError } from '../../errors.ts'

/** A value in a JSON document, and its path. */
export interface Field {
  readonly value: unknown
  readonly path: string
  /** A member. An absent one is a field too, and its readers throw. */
  get(name: string): Field
  /** Returns the field; throws unless it is an object with no members other than these. */
  only(...names: readonly string[]): Field
  /** The field, or `undefined` when absent or null. */
  optional(): Field | undefined
  string(): string
  /** Decodes base64. */
  bytes(): Uint8Array<ArrayBuffer>
  /** An integer from 0 to 2⁵³−1, written as number or decimal string. */
  count(): number
  /** Parses an RFC 3339 time; milliseconds since 1970. */
  time(): number
  /** The items; empty when absent. */
  list(limit: number): Field[]
}

/**
 * Wraps a parsed value.
 * @param path Name of the document, the start of all paths in messages.
 * @param parseBytes Decodes bytes. Default: standard base64.
 */
export function readField(
  value: unknown,
  path: string,
  parseBytes: typeof parseBase64 = parseBase64,
): Field {
  const wrong = (expected: string): SpindleError =>
    new SpindleError('ERR_CONTENT_INVALID', `${path} should be ${expected}`)
  const string = (): string => {
    if (typeof value !== 'string') throw wrong('a string')
    return value
  }
  return {
    value,
    path,
    get(name) {
      if (!isJsonObject(value)) throw wrong('an object')
      const member = Object.hasOwn(value, name) ? value[name] : undefined
      return readField(member, `${path}.${name}`, parseBytes)
    },
    only(...names) {
      if (!isJsonObject(value)) throw wrong('an object')
      for (const name of Object.keys(value))
        if (!names.includes(name))
          throw new SpindleError(
            'ERR_CONTENT_INVALID',
            unknownName(`the member of ${path},`, name, names),
          )
      return this
    },
    optional() {
      return value === undefined || value === null ? undefined : this
    },
    string,
    bytes() {
      const bytes = parseBytes(string())
      if (bytes === undefined) throw wrong('base64')
      return bytes
    },
    count() {
      const text = typeof value === 'number' ? String(value) : value
      if (
        typeof text !== 'string' ||
        !/^(?:0|[1-9]\d{0,15})$/.test(text) ||
        !Number.isSafeInteger(Number(text))
      )
        throw wrong('a non-negative integer')
      return Number(text)
    },
    time() {
      const text = string()
      const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(text)
        ? Date.parse(text)
        : NaN
      if (Number.isNaN(at)) throw wrong('an RFC 3339 time')
      return at
    },
    list(limit) {
      if (value === undefined) return []
      if (!Array.isArray(value)) throw wrong('a list')
      if (value.length > limit)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `${path} has ${value.length} entries, more than the limit of ${limit}`,
        )
      // Not `map`, which skips holes.
      return Array.from(value as unknown[], (item, i) =>
        readField(item, `${path}[${i}]`, parseBytes),
      )
    },
  }
}

/** The string members of an object, in an object without prototype; other members are left out. */
export function readStrings(field: Field | undefined): Readonly<Record<string, string>> {
  const strings: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [key, value] of Object.entries(isJsonObject(field?.value) ? field.value : {})) {
    if (typeof value === 'string') strings[key] = value
  }
  return strings
}
