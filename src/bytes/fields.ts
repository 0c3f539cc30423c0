import { SpindleError } from '../errors.ts'
import { isJsonObject } from './json.ts'
import { quotePath } from './path.ts'

/** Keys that one message names. */
const MAX_NAMED = 10

/** The members of one table, taken one by one, so that what nobody took is known at the end. */
export interface Fields {
  /** The place, for messages. */
  readonly what: string
  readonly keys: () => string[]
  /** `undefined` for an absent member; JSON's `null` is one. */
  readonly take: (key: string) => unknown
  /** @throws `ERR_CONTENT_INVALID` naming members that nobody took. */
  readonly end: () => void
}

/** Turns a member's value into a typed one, or rejects naming the place. */
export type Read<T> = (value: unknown, place: string) => T

export function reader(value: unknown, what: string): Fields {
  if (!isJsonObject(value)) throw invalid(what, 'must be a table')
  const left = new Set(Object.keys(value))
  return {
    what,
    keys: () => Object.keys(value),
    take(key) {
      left.delete(key)
      return Object.hasOwn(value, key) ? (value[key] ?? undefined) : undefined
    },
    end() {
      const unknown = [...left].filter((key) => value[key] !== null)
      if (unknown.length > 0)
        throw invalid(
          what,
          `has the unknown ${unknown.length === 1 ? 'key' : 'keys'} ${unknown.slice(0, MAX_NAMED).map(quotePath).join(', ')}${unknown.length > MAX_NAMED ? ` and ${unknown.length - MAX_NAMED} more` : ''}`,
        )
    },
  }
}

export function required<T>(fields: Fields, key: string, read: Read<T>): T {
  const value = fields.take(key)
  if (value === undefined) throw invalid(fields.what, `lacks ${JSON.stringify(key)}`)
  return read(value, `${fields.what}.${key}`)
}

/** An object to spread: with the key, or empty. */
export function optional<K extends string, T>(
  fields: Fields,
  key: K,
  read: Read<T>,
): { [P in K]?: T } {
  const value = fields.take(key)
  return (value === undefined ? {} : { [key]: read(value, `${fields.what}.${key}`) }) as {
    [P in K]?: T
  }
}

export const text: Read<string> = (value, place) => {
  if (typeof value !== 'string') throw invalid(place, 'must be a string')
  return value
}

export const flag: Read<boolean> = (value, place) => {
  if (typeof value !== 'boolean') throw invalid(place, 'must be true or false')
  return value
}

export const integer: Read<number> = (value, place) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw invalid(place, `must be an integer from 0 to ${Number.MAX_SAFE_INTEGER}`)
  }
  return value
}

export const stringList: Read<string[]> = (value, place) => {
  if (!Array.isArray(value)) throw invalid(place, 'must be a list of strings')
  return value.map((item, index) => text(item, `${place}[${index}]`))
}

export const stringMap: Read<Record<string, string>> = (value, place) => {
  const fields = reader(value, place)
  return Object.fromEntries(fields.keys().map((key) => [key, required(fields, key, text)]))
}

export function table<T>(read: (fields: Fields) => T): Read<T> {
  return (value, place) => {
    const fields = reader(value, place)
    const result = read(fields)
    fields.end()
    return result
  }
}

export function tables<T>(read: (fields: Fields) => T): Read<T[]> {
  const one = table(read)
  return (value, place) => {
    if (!Array.isArray(value)) throw invalid(place, 'must be a list of tables')
    return value.map((item, index) => one(item, `${place}[${index}]`))
  }
}

/** What is wrong with the value of a member, and where it is. */
export function invalid(place: string, problem: string): SpindleError {
  return new SpindleError('ERR_CONTENT_INVALID', `${place} ${problem}`)
}
