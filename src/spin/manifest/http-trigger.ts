import type { Json } from '../../bytes/json.ts'
import {
  mapOf,
  readJson,
  readString,
  type Reader,
  requireKeys,
  tableOf,
  unknownKey,
  wrongType,
} from './readers.ts'
import { childSpot, childSpots, isTable, type Spot } from './spot.ts'

const KEYS = ['component', 'static_response', 'route', 'executor']

/**
 * Finds in an `http` trigger what every Spin host refuses when it starts.
 * In manifests of version 1 the component is not named in it: it is around it.
 */
export function checkHttpTrigger(
  spot: Spot,
  options: { readonly isInComponent?: boolean } = {},
): void {
  for (const [key, child] of childSpots(spot)) {
    // `dependencies` and `id` are the entry's own, not its configuration.
    if (!KEYS.includes(key) && key !== 'id' && key !== 'dependencies') {
      child.report.error(child, 'unknown-key', unknownKey(key, KEYS), 'key')
    }
  }
  requireKeys(spot, ['route'])
  const component = childSpot(spot, 'component')
  const response = childSpot(spot, 'static_response')
  if (options.isInComponent !== true && (component === undefined) === (response === undefined)) {
    const message =
      component === undefined
        ? 'http triggers must specify `component` or `static_response`'
        : 'http triggers must not specify both `component` and `static_response`'
    spot.report.error(response ?? spot, 'http-target', message, 'key')
  }
  read(childSpot(spot, 'route'), readRoute)
  read(response, readStaticResponse)
  read(childSpot(spot, 'executor'), readExecutor)
}

function read<T>(spot: Spot | undefined, reader: Reader<T>): void {
  if (spot !== undefined) reader(spot)
}

const readRoute: Reader<unknown> = (spot) => {
  if (typeof spot.value === 'string') {
    if (!spot.value.startsWith('/'))
      spot.report.warn(spot, 'route-slash', 'a route should begin with "/"')
    return spot.value
  }
  const route = tableOf<{ private: boolean }>(
    {
      private: (at) => {
        if (at.value === true) return true
        at.report.error(at, 'invalid-route', 'private endpoints must have the value `true`')
        return undefined
      },
    },
    ['private'],
  )
  return isTable(spot.value)
    ? route(spot)
    : wrongType(spot, 'a route such as "/..." or { private = true }')
}

const readStaticResponse = tableOf<{
  status_code?: number
  headers?: Readonly<Record<string, string>>
  body?: string
}>({
  status_code: (spot) => {
    if (
      typeof spot.value === 'number' &&
      Number.isInteger(spot.value) &&
      spot.value >= 100 &&
      spot.value <= 999
    )
      return spot.value
    spot.report.error(spot, 'invalid-status', 'expected a status code from 100 to 999')
    return undefined
  },
  headers: mapOf(readString, 'invalid-header', (name) =>
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)
      ? undefined
      : `${JSON.stringify(name)} is not the name of a header`,
  ),
  body: readString,
})

const readWagi = tableOf<{ type: Json; argv?: string; entrypoint?: string }>({
  type: readJson,
  argv: readString,
  entrypoint: (spot) => {
    const entrypoint = readString(spot)
    if (entrypoint !== undefined && entrypoint !== '_start') {
      spot.report.warn(
        spot,
        'wagi-entrypoint',
        'Spin no longer starts components with an `entrypoint` other than "_start"',
        'key',
      )
    }
    return entrypoint
  },
})

const readPlainExecutor = tableOf<{ type: Json }>({ type: readJson })

const readExecutor: Reader<unknown> = (spot) => {
  if (!isTable(spot.value)) return wrongType(spot, 'an executor such as { type = "http" }')
  const type = childSpot(spot, 'type')
  if (type === undefined) {
    requireKeys(spot, ['type'])
    return undefined
  }
  switch (type.value) {
    case 'http':
    case 'spin':
      return readPlainExecutor(spot)
    case 'wagi':
      return readWagi(spot)
    case 'wasip3-unstable':
      spot.report.warn(
        type,
        'executor-gone',
        'only Spin 3.5 and 3.6 have this executor; use "http"',
      )
      return readPlainExecutor(spot)
    default:
      spot.report.error(type, 'invalid-executor', 'expected one of `http`, `wagi`')
      return undefined
  }
}
