import type { BindleId } from '../../bindle/id.ts'
import {
  compareVersions,
  parseRange,
  parseVersion,
  type VersionRange,
} from '../../bindle/semver.ts'
import type { ListedInvoice } from './shelf.ts'

/** The parameters of `_q`. */
interface BindleQuery {
  readonly query: string
  readonly version: string
  readonly strict: boolean
  readonly offset: number
  readonly limit: number
  readonly yanked: boolean
}

const NAMES: ReadonlyMap<string, keyof BindleQuery> = new Map([
  ['q', 'query'],
  ['query', 'query'],
  ['v', 'version'],
  ['version', 'version'],
  ['o', 'offset'],
  ['offset', 'offset'],
  ['l', 'limit'],
  ['limit', 'limit'],
  ['strict', 'strict'],
  ['yanked', 'yanked'],
])

const MAX_LIMIT = 255

/** Parses a query; `undefined` for an unknown, repeated or invalid parameter, which is answered with 400. */
export function parseQuery(parameters: URLSearchParams): BindleQuery | undefined {
  const given = new Map<keyof BindleQuery, string>()
  for (const [key, value] of parameters) {
    const name = NAMES.get(key)
    if (name === undefined || given.has(name)) return undefined
    given.set(name, value)
  }
  const offset = wholeNumber(given.get('offset') ?? '0', Number.MAX_SAFE_INTEGER)
  const limit = wholeNumber(given.get('limit') ?? '50', MAX_LIMIT)
  const yanked = truth(given.get('yanked') ?? 'false')
  const strict = truth(given.get('strict') ?? 'true')
  if (offset === undefined || limit === undefined || yanked === undefined || strict === undefined)
    return undefined
  // Only strict queries are implemented, so the response always has `strict = true`.
  return {
    query: given.get('query') ?? '',
    version: given.get('version') ?? '',
    strict: true,
    offset,
    limit,
    yanked,
  }
}

function wholeNumber(text: string, most: number): number | undefined {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN
  return value <= most ? value : undefined
}

function truth(text: string): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined
}

/** The ids that match a query, sorted by name and version, oldest first. */
export function matchInvoices(invoices: readonly ListedInvoice[], query: BindleQuery): BindleId[] {
  const range: VersionRange = parseRange(query.version) ?? (() => false)
  const terms = query.query.split(' ').filter((term) => term !== '')
  return invoices
    .filter(
      ({ id, yanked }) =>
        (query.yanked || !yanked) &&
        terms.every((term) => id.name.includes(term)) &&
        inRange(id, range),
    )
    .map(({ id }) => id)
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : order(a, b)))
}

function inRange(id: BindleId, range: VersionRange): boolean {
  const version = parseVersion(id.version)
  return version !== undefined && range(version)
}

function order(a: BindleId, b: BindleId): number {
  const left = parseVersion(a.version)
  const right = parseVersion(b.version)
  return left === undefined || right === undefined ? 0 : compareVersions(left, right)
}
