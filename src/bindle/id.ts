import { SpindleError } from '../errors.ts'
import { digestOf, hexOf } from '../bytes/digest.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import { quotePath } from '../bytes/path.ts'
import { MAX_VERSION_LENGTH, parseVersion } from './semver.ts'

/** Names one invoice: `NAME/VERSION`. */
export interface BindleId {
  readonly name: string
  /** Strict SemVer 2, kept as written. */
  readonly version: string
  toString(): string
}

/**
 * Reads `NAME/VERSION`, or `bindle:NAME/VERSION`: split at the last `/`, lenient in the name.
 *
 * Exported from `spindle/bindle`.
 *
 * @example
 * ```ts
 * parseBindleId('example.com/hello/1.2.3+q8e6334c').version // '1.2.3+q8e6334c'
 * ```
 * @throws `ERR_REFERENCE_INVALID`
 */
export function parseBindleId(input: string): BindleId {
  const text = input.startsWith('bindle:') ? input.slice('bindle:'.length) : input
  const slash = text.lastIndexOf('/')
  const name = text.slice(0, Math.max(slash, 0))
  const version = text.slice(slash + 1)
  if (slash < 1 || parseVersion(version) === undefined) {
    const problem = slash < 1 || version === '' ? '' : `: ${describeVersion(version)}`
    throw new SpindleError(
      'ERR_REFERENCE_INVALID',
      `${quotePath(input)} is not a bindle id${problem}; write NAME/VERSION with a full semantic version, as in example.com/hello/1.2.3`,
    )
  }
  return createBindleId(name, version)
}

export function createBindleId(name: string, version: string): BindleId {
  return { name, version, toString: () => `${name}/${version}` }
}

function describeVersion(version: string): string {
  return version === ''
    ? 'it has no version'
    : `its version ${quotePath(version)} is not a semantic version${version.length > MAX_VERSION_LENGTH ? ` of at most ${MAX_VERSION_LENGTH} characters` : ''}`
}

/**
 * Refuses versions that are not semantic versions, and names that servers take but can't give back:
 * they match the raw path of a URL, so whatever a URL encodes or normalizes is lost there.
 * @throws `ERR_REFERENCE_INVALID`
 */
export function assertPushableId(id: BindleId): void {
  if (parseVersion(id.version) === undefined) {
    throw new SpindleError(
      'ERR_REFERENCE_INVALID',
      `${quotePath(id.name)} can't be pushed: ${describeVersion(id.version)}; write MAJOR.MINOR.PATCH, as in 1.2.3, with at most one "-" and "+" part`,
    )
  }
  const fits =
    /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/.test(id.name) &&
    !id.name.split('/').some((segment) => segment === '.' || segment === '..')
  if (!fits) {
    throw new SpindleError(
      'ERR_REFERENCE_INVALID',
      `${quotePath(String(id))} can't be pushed: a server could not find it again; use ASCII letters, digits, "_", "-", "." and "/" in the name`,
    )
  }
}

/** Names the directory, tarball and server folder of an id: SHA-256 of `NAME/VERSION`, in hexadecimal. */
export async function canonicalName(id: BindleId): Promise<string> {
  return hexOf(await digestOf(encodeUtf8(`${id.name}/${id.version}`)))
}
