import { AppInvalid, type Finding } from '../../errors.ts'
import { isTomlDate } from '../../bytes/toml.ts'
import type { TomlDocument } from './toml.ts'
import type { TomlPlace } from './toml-places.ts'

/** One value of a document, where it stands, and where to report what is wrong with it. */
export interface Spot {
  readonly value: unknown
  readonly place: TomlPlace
  readonly report: Report
}

/** What of a spot a finding points at; `unseen` is the value, with a secret in it that no frame may show. */
type FindingPlace = 'key' | 'value' | 'unseen'

/** Collects what is found in one document. */
export interface Report {
  /** Something that the application can't be loaded with. */
  error(spot: Spot, code: string, message: string, at?: FindingPlace): void
  warn(spot: Spot, code: string, message: string, at?: FindingPlace): void
  /** In the order of their places. @throws `AppInvalid` with all errors, if there are any. */
  warnings(): readonly Finding[]
}

/** Findings that are shown. Of more, which nobody reads, only the number is. */
const MAX_FINDINGS = 100

/** Longest message of one, in characters: some quote what the manifest says. */
const MAX_MESSAGE_LENGTH = 1000

interface Placed {
  readonly code: string
  readonly message: string
  readonly start: number
  /** Absent for what no frame may show. */
  readonly end: number | undefined
}

interface FindingList {
  readonly placed: Placed[]
  /** Those that are not in it. */
  more: number
}

export function createReport(document: TomlDocument): Report {
  const errors: FindingList = { placed: [], more: 0 }
  const warnings: FindingList = { placed: [], more: 0 }
  const add = (
    list: FindingList,
    spot: Spot,
    code: string,
    message: string,
    at: FindingPlace,
  ): void => {
    if (list.placed.length >= MAX_FINDINGS) {
      list.more++
      return
    }
    const { keyStart, keyEnd, valueStart, valueEnd } = spot.place
    list.placed.push({
      code,
      message:
        message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH)}…` : message,
      start: at === 'key' ? keyStart : valueStart,
      end: at === 'unseen' ? undefined : at === 'key' ? keyEnd : valueEnd,
    })
  }
  const inOrder = ({ placed, more }: FindingList): Finding[] => {
    const { lines, path } = document
    const findings: Finding[] = placed
      .toSorted((a, b) => a.start - b.start)
      .map(({ code, message, start, end }) => ({
        code,
        message,
        path,
        ...lines.positionOf(start),
        ...(end === undefined ? {} : { frame: lines.frameOf(start, end) }),
      }))
    if (more > 0)
      findings.push({
        code: 'more-findings',
        message: `and ${more} more, which are not shown`,
        path,
      })
    return findings
  }
  return {
    error: (spot, code, message, at = 'value') => add(errors, spot, code, message, at),
    warn: (spot, code, message, at = 'value') => add(warnings, spot, code, message, at),
    warnings() {
      if (errors.placed.length > 0) throw new AppInvalid(inOrder(errors))
      return inOrder(warnings)
    },
  }
}

/** The same value, with errors about it and all within it only warned of. */
export function lenient(spot: Spot): Spot {
  const { report } = spot
  return { ...spot, report: { ...report, error: report.warn } }
}

/** The same value, for looking again at what was reported on before. */
export function silent(spot: Spot): Spot {
  const ignore = (): void => {}
  return { ...spot, report: { ...spot.report, error: ignore, warn: ignore } }
}

export function rootSpot(document: TomlDocument, report: Report): Spot {
  return { value: document.root, place: document.places, report }
}

export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isTomlDate(value)
}

/** The member of a table or array; `undefined` when it isn't there. */
export function childSpot(spot: Spot, key: string): Spot | undefined {
  const { value, place, report } = spot
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  const inner = (value as Readonly<Record<string, unknown>>)[key]
  return { value: inner, place: place.children.get(key) ?? place, report }
}

/** The member of a member, and so on. */
export function descend(from: Spot | undefined, ...keys: readonly string[]): Spot | undefined {
  return keys.reduce(
    (spot: Spot | undefined, key) => (spot === undefined ? undefined : childSpot(spot, key)),
    from,
  )
}

/** All members of a table or array with their keys, in file order. */
export function* childSpots(spot: Spot): Generator<readonly [string, Spot]> {
  if (typeof spot.value !== 'object' || spot.value === null) return
  for (const key of Object.keys(spot.value)) {
    const child = childSpot(spot, key)
    if (child !== undefined) yield [key, child]
  }
}

/** A value's type in the words of Spin's own messages. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `string ${JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)}`
    case 'number':
      return `${Number.isInteger(value) ? 'integer' : 'floating point'} \`${value}\``
    case 'bigint':
      return `integer \`${value}\``
    case 'boolean':
      return `boolean \`${value}\``
    default:
      return Array.isArray(value) ? 'sequence' : isTomlDate(value) ? 'datetime' : 'map'
  }
}
