/** Fields of a locked application, read by type; each says where it stands when it is another. */
import { isJsonObject, type Json, type JsonObject, toRecord } from '../../bytes/json.ts'
import { quotePath } from '../../bytes/path.ts'
import { SpindleError } from '../../errors.ts'

/** Trigger configuration is a few levels deep; deeper only exists to overflow a stack. */
const MAX_DEPTH = 64

/** A copy whose tables have no prototype, so that no key in it is anything but data. */
export function cleanJson(value: unknown, depth: number = 0): Json {
  if (depth > MAX_DEPTH)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the locked application nests deeper than ${MAX_DEPTH} levels`,
    )
  if (Array.isArray(value)) return value.map((item) => cleanJson(item, depth + 1))
  if (!isJsonObject(value)) return value as Json
  return toRecord(Object.entries(value).map(([key, inner]) => [key, cleanJson(inner, depth + 1)]))
}

/** What a later version may have added. */
export function othersOf(object: JsonObject, known: readonly string[]): object {
  return Object.fromEntries(
    Object.entries(object)
      .filter(([key]) => !known.includes(key))
      .map(([key, value]) => [key, cleanJson(value)]),
  )
}

/** What a field should have been, and where it stands. */
export function invalid(at: string, expected: string): SpindleError {
  return new SpindleError(
    'ERR_CONTENT_INVALID',
    `the locked application is not valid: ${at} should be ${expected}`,
  )
}

export function objectOf(value: unknown, at: string): JsonObject {
  if (!isJsonObject(value)) throw invalid(at, 'an object')
  return toRecord(Object.entries(value))
}

export function stringOf(value: unknown, at: string): string {
  if (typeof value !== 'string') throw invalid(at, 'a string')
  return value
}

export function optionalString(value: unknown, at: string): string | undefined {
  return value === undefined || value === null ? undefined : stringOf(value, at)
}

export function arrayOf<T>(
  value: unknown,
  at: string,
  read: (item: unknown, at: string) => T,
): readonly T[] {
  if (!Array.isArray(value)) throw invalid(at, 'an array')
  return value.map((item: unknown, index) => read(item, `${at}[${index}]`))
}

export function recordOf<T>(
  value: unknown,
  at: string,
  read: (item: unknown, at: string) => T,
  isKey: (key: string) => boolean = () => true,
): Readonly<Record<string, T>> {
  const entries = value === undefined || value === null ? [] : Object.entries(objectOf(value, at))
  return toRecord(
    entries.map(([key, item]) => {
      const name = `${at}[${quotePath(key)}]`
      if (!isKey(key)) throw invalid(name, 'a valid name')
      return [key, read(item, name)]
    }),
  )
}

/** A member only when there is something in it, as it is written. */
export function present<K extends string, T extends object>(key: K, value: T): { [key in K]?: T } {
  return Object.keys(value).length === 0 ? {} : ({ [key]: value } as { [key in K]?: T })
}
