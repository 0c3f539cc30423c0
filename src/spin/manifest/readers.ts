import type { Json } from '../../bytes/json.ts'
import { childSpot, childSpots, describeValue, isTable, type Spot } from './spot.ts'
import { isTomlDate } from '../../bytes/toml.ts'

/** Reads one value; reports what is wrong with it and then gives `undefined`. */
export type Reader<T> = (spot: Spot) => T | undefined

export const readString: Reader<string> = (spot) => {
  if (typeof spot.value === 'string') return spot.value
  return wrongType(spot, 'a string')
}

export const readBoolean: Reader<boolean> = (spot) => {
  if (typeof spot.value === 'boolean') return spot.value
  return wrongType(spot, 'a boolean')
}

export function wrongType(spot: Spot, expected: string): undefined {
  spot.report.error(
    spot,
    'wrong-type',
    `invalid type: ${describeValue(spot.value)}, expected ${expected}`,
  )
  return undefined
}

/** A string for which `problemOf` finds nothing wrong. */
export function checked(
  code: string,
  problemOf: (text: string) => string | undefined,
): Reader<string> {
  return (spot) => {
    const text = readString(spot)
    if (text === undefined) return undefined
    const problem = problemOf(text)
    if (problem === undefined) return text
    spot.report.error(spot, code, problem)
    return undefined
  }
}

export function listOf<T>(read: Reader<T>): Reader<readonly T[]> {
  return (spot) => {
    if (!Array.isArray(spot.value)) return wrongType(spot, 'a sequence')
    const items: T[] = []
    for (const [, child] of childSpots(spot)) {
      const item = read(child)
      if (item !== undefined) items.push(item)
    }
    return items
  }
}

/** A table of free keys, each without a problem, all with values of one kind. */
export function mapOf<T>(
  read: Reader<T>,
  keyCode?: string,
  keyProblemOf?: (key: string) => string | undefined,
): Reader<Readonly<Record<string, T>>> {
  return (spot) => {
    if (!isTable(spot.value)) return wrongType(spot, 'a map')
    const map = Object.create(null) as Record<string, T>
    for (const [key, child] of childSpots(spot)) {
      const problem = keyProblemOf?.(key)
      if (problem !== undefined) child.report.error(child, keyCode ?? 'invalid-key', problem, 'key')
      const value = read(child)
      if (value !== undefined) map[key] = value
    }
    return map
  }
}

type Fields<T> = { readonly [K in keyof T]-?: Reader<Exclude<T[K], undefined>> }

/**
 * A table of known keys; others are reported, as Spin does.
 *
 * What a reader reported about is left out of the result: it is only whole when nothing was.
 */
export function tableOf<T extends object>(
  fields: Fields<T>,
  required: readonly (keyof T & string)[] = [],
): Reader<T> {
  const known = new Map<string, Reader<unknown>>(Object.entries(fields))
  return (spot) => {
    if (!isTable(spot.value)) return wrongType(spot, 'a map')
    const table: Record<string, unknown> = {}
    for (const [key, child] of childSpots(spot)) {
      const read = known.get(key)
      if (read === undefined) {
        child.report.error(child, 'unknown-key', unknownKey(key, [...known.keys()]), 'key')
        continue
      }
      const value = read(child)
      if (value !== undefined) table[key] = value
    }
    requireKeys(spot, required)
    return table as T
  }
}

export function requireKeys(spot: Spot, required: readonly string[]): void {
  for (const key of required) {
    if (childSpot(spot, key) === undefined)
      spot.report.error(spot, 'missing-key', `missing field \`${key}\``, 'key')
  }
}

export function unknownKey(key: string, known: readonly string[]): string {
  const shown = key.length > 80 ? `${key.slice(0, 80)}…` : key
  return `unknown field \`${shown}\`, expected ${known.length > 1 ? 'one of ' : ''}${known.map((name) => `\`${name}\``).join(', ')}`
}

/** Anything that can be said in JSON; dates and numbers beyond it are reported. */
export const readJson: Reader<Json> = (spot) => {
  const { value } = spot
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value
    spot.report.error(
      spot,
      'not-json',
      `${value} can't be written into the lock: JSON has only finite numbers`,
    )
    return undefined
  }
  if (Array.isArray(value)) return listOf(readJson)(spot)
  if (isTable(value)) return readConfigTable(spot)
  spot.report.error(
    spot,
    'not-json',
    `a ${describeValue(value)} can't be written into the lock: make it a string`,
  )
  return undefined
}

export const readConfigTable: Reader<Readonly<Record<string, Json>>> = mapOf((spot) =>
  readJson(spot),
)

/** What other tools keep in the manifest: dates are kept as text. */
const readToolJson: Reader<Json> = (spot) => {
  const { value } = spot
  if (isTomlDate(value)) return value.toISOString()
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (Array.isArray(value)) return listOf(readToolJson)(spot)
  return isTable(value) ? readToolTable(spot) : readJson(spot)
}

export const readToolTable: Reader<Readonly<Record<string, Json>>> = mapOf((spot) =>
  readToolJson(spot),
)
