/**
 * Typed access to parsed JSON of unknown shape, as protocol buffers write it.
 *
 * Own properties only, so that `__proto__` and `constructor` are names like any other; every
 * message names the place. @see https://protobuf.dev/programming-guides/json/
 */
import { parseBase64 } from '../../bytes/base64.ts'
import { isJsonObject } from '../../bytes/json.ts'
import { unknownName } from '../../bytes/known-names.ts'
import { SpindleError } from '../../errors.ts'

/** A value in a JSON document, and where it stands. */
export interface Field {
  readonly value: unknown
  readonly path: string
  /** A member; absent ones are fields too, whose readers then reject. */
  get(name: string): Field
  /** The field itself, if it is an object without other members than these. */
  only(...names: readonly string[]): Field
  /** `undefined` when absent or null. */
  optional(): Field | undefined
  string(): string
  /** Base64 to bytes. */
  bytes(): Uint8Array<ArrayBuffer>
  /** An integer from 0 to 2⁵³−1, as number or decimal string. */
  count(): number
  /** RFC 3339 to milliseconds since 1970. */
  time(): number
  /** An absent list is empty. */
  list(limit: number): Field[]
}

/** @param parseBytes How the document writes bytes. Default: standard base64. */
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
        throw wrong('a whole number, 0 or more')
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
          `${path} has ${value.length} entries, at most ${limit} are read`,
        )
      // Not `map`: it passes over holes.
      return Array.from(value as unknown[], (item, i) =>
        readField(item, `${path}[${i}]`, parseBytes),
      )
    },
  }
}

/** String members only; others can't be asked for. */
export function readStrings(field: Field | undefined): Readonly<Record<string, string>> {
  const strings: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [key, value] of Object.entries(isJsonObject(field?.value) ? field.value : {})) {
    if (typeof value === 'string') strings[key] = value
  }
  return strings
}
