/** Strict SemVer 2, and ranges as Rust's `semver` crate reads them: Bindle's servers use it, not npm's. */

export interface Version {
  readonly major: bigint
  readonly minor: bigint
  readonly patch: bigint
  /** Without `-`; empty for a release. */
  readonly pre: string
  /** Without `+`. */
  readonly build: string
}

/** Longest version, in characters, as npm has it. Longer ones only exist to make comparing slow. */
export const MAX_VERSION_LENGTH = 256
/** Most comparators of a range, as in Rust's `semver` crate. */
const MAX_COMPARATORS = 32
/** Longest range: each comparator is a version, an operator and a comma, with room for spaces. */
const MAX_RANGE_LENGTH: number = MAX_COMPARATORS * (MAX_VERSION_LENGTH + 8)

const NUMBER = '(0|[1-9][0-9]*)'
const VERSION = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-([0-9A-Za-z.-]+))?(?:\\+([0-9A-Za-z.-]+))?$`,
)
const U64_MAX = 0xffff_ffff_ffff_ffffn
/** Digits of the largest number. */
const U64_DIGITS = 20

/**
 * `undefined` for anything but a full version of at most 256 characters: no `v`, no leading zeros,
 * each number at most 2⁶⁴−1.
 */
export function parseVersion(text: string): Version | undefined {
  if (text.length > MAX_VERSION_LENGTH) return undefined
  const match = VERSION.exec(text)
  if (match === null) return undefined
  const [, major = '', minor = '', patch = '', pre = '', build = ''] = match
  if (![major, minor, patch].every(fitsServer)) return undefined
  if (!isPrerelease(pre) || !isBuild(build)) return undefined
  return { major: BigInt(major), minor: BigInt(minor), patch: BigInt(patch), pre, build }
}

function fitsServer(digits: string): boolean {
  return digits.length <= U64_DIGITS && BigInt(digits) <= U64_MAX
}

function isPrerelease(pre: string): boolean {
  return pre === '' || pre.split('.').every((part) => part !== '' && !/^0[0-9]+$/.test(part))
}

/** Build metadata: identifiers split by dots, none empty. */
export function isBuild(build: string): boolean {
  return build === '' || build.split('.').every((part) => /^[0-9A-Za-z-]+$/.test(part))
}

/** Precedence, build metadata last so that the order is total. Negative when `a` comes first. */
export function compareVersions(a: Version, b: Version): number {
  return comparePrecedence(a, b) || compareText(a.build, b.build)
}

function comparePrecedence(a: Version, b: Version): number {
  return (
    compareNumbers(a.major, b.major) ||
    compareNumbers(a.minor, b.minor) ||
    compareNumbers(a.patch, b.patch) ||
    comparePre(a.pre, b.pre)
  )
}

function compareNumbers(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function comparePre(a: string, b: string): number {
  if (a === b) return 0
  if (a === '') return 1
  if (b === '') return -1
  const left = a.split('.')
  const right = b.split('.')
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = compareIdentifiers(left[i] as string, right[i] as string)
    if (order !== 0) return order
  }
  return left.length - right.length
}

function compareIdentifiers(a: string, b: string): number {
  const [left, right] = [isNumeric(a), isNumeric(b)]
  // Without leading zeros the longer number is the larger one; no digit is converted.
  if (left && right) return a.length - b.length || compareText(a, b)
  if (left !== right) return left ? -1 : 1
  return compareText(a, b)
}

function isNumeric(identifier: string): boolean {
  return /^[0-9]+$/.test(identifier)
}

interface Comparator {
  readonly operator: '=' | '>' | '>=' | '<' | '<=' | '~' | '^' | '*'
  readonly major: bigint
  readonly minor?: bigint
  readonly patch?: bigint
  readonly pre: string
}

/** Whether a version is in a range. */
export type VersionRange = (version: Version) => boolean

/**
 * Reads a range as a Bindle server does: a full version is met by itself alone, build metadata
 * included; else up to 32 comparators joined by commas, a bare one being a caret.
 * `undefined` when it can't be read; such a range matches nothing.
 */
export function parseRange(text: string): VersionRange | undefined {
  if (text === '') return () => true
  if (text.length > MAX_RANGE_LENGTH) return undefined
  const exact = parseVersion(text)
  if (exact !== undefined) return (version) => compareVersions(version, exact) === 0
  if (/^\s*[*xX]\s*$/.test(text)) return (version) => version.pre === ''
  const comparators: Comparator[] = []
  const parts = text.split(',')
  if (parts.length > MAX_COMPARATORS) return undefined
  for (const part of parts) {
    const comparator = parseComparator(part.trim())
    if (comparator === undefined) return undefined
    comparators.push(comparator)
  }
  return (version) =>
    comparators.every((comparator) => meets(version, comparator)) && admitsPre(version, comparators)
}

const COMPARATOR = new RegExp(
  `^(=|>=|>|<=|<|~|\\^)?\\s*${NUMBER}(?:\\.(?:${NUMBER}|([*xX]))(?:\\.(?:${NUMBER}|([*xX]))(?:-([0-9A-Za-z.-]+))?(?:\\+[0-9A-Za-z.-]+)?)?)?$`,
)

function parseComparator(text: string): Comparator | undefined {
  if (text.length > MAX_VERSION_LENGTH + 8) return undefined
  const match = COMPARATOR.exec(text)
  if (match === null) return undefined
  const [, operator, major = '', minor, anyMinor, patch, anyPatch, pre = ''] = match
  // After a wildcard only wildcards: `1.*.3` says nothing that can be meant.
  if (
    (anyMinor !== undefined && patch !== undefined) ||
    (anyPatch !== undefined && pre !== '') ||
    !isPrerelease(pre)
  )
    return undefined
  const wild = anyMinor !== undefined || anyPatch !== undefined
  if (![major, minor, patch].every((digits) => digits === undefined || fitsServer(digits)))
    return undefined
  return {
    operator: (operator ?? (wild ? '*' : '^')) as Comparator['operator'],
    major: BigInt(major),
    ...(minor === undefined ? {} : { minor: BigInt(minor) }),
    ...(patch === undefined ? {} : { patch: BigInt(patch) }),
    pre,
  }
}

/** A pre-release is only meant by a range that names a pre-release of the same numbers. */
function admitsPre(version: Version, comparators: readonly Comparator[]): boolean {
  return (
    version.pre === '' ||
    comparators.some(
      (comparator) =>
        comparator.pre !== '' &&
        comparator.major === version.major &&
        comparator.minor === version.minor &&
        comparator.patch === version.patch,
    )
  )
}

function meets(version: Version, comparator: Comparator): boolean {
  switch (comparator.operator) {
    case '=':
    case '*':
      return equals(version, comparator)
    case '>':
      return greater(version, comparator)
    case '>=':
      return equals(version, comparator) || greater(version, comparator)
    case '<':
      return !equals(version, comparator) && !greater(version, comparator)
    case '<=':
      return !greater(version, comparator)
    case '~':
      return tilde(version, comparator)
    case '^':
      return caret(version, comparator)
  }
}

function equals(version: Version, { major, minor, patch, pre }: Comparator): boolean {
  if (version.major !== major || (minor !== undefined && version.minor !== minor)) return false
  if (patch === undefined) return true
  return version.patch === patch && version.pre === pre
}

function greater(version: Version, { major, minor, patch, pre }: Comparator): boolean {
  if (version.major !== major) return version.major > major
  if (minor === undefined) return false
  if (version.minor !== minor) return version.minor > minor
  if (patch === undefined) return false
  if (version.patch !== patch) return version.patch > patch
  return comparePre(version.pre, pre) > 0
}

function tilde(version: Version, { major, minor, patch, pre }: Comparator): boolean {
  if (version.major !== major || (minor !== undefined && version.minor !== minor)) return false
  if (patch === undefined) return true
  return version.patch > patch || (version.patch === patch && comparePre(version.pre, pre) >= 0)
}

function caret(version: Version, { major, minor, patch, pre }: Comparator): boolean {
  if (version.major !== major) return false
  if (minor === undefined) return true
  if (patch === undefined) return major > 0n ? version.minor >= minor : version.minor === minor
  const atLeast =
    version.patch > patch || (version.patch === patch && comparePre(version.pre, pre) >= 0)
  if (major > 0n) return version.minor > minor || (version.minor === minor && atLeast)
  if (minor > 0n) return version.minor === minor && atLeast
  return version.minor === minor && version.patch === patch && comparePre(version.pre, pre) >= 0
}
