import { SpindleError } from '../../errors.ts'

/** The lowest cost that bcrypt knows. */
export const MIN_BCRYPT_COST = 4
/** The hash behind a salt, in bcrypt's base64: all zeros, which no password is known to give. */
const NO_HASH = '.'.repeat(31)

/** Other formats that `htpasswd` writes: most are broken in minutes, and none is needed. */
const WEAK_FORMATS: readonly (readonly [RegExp, string])[] = [
  [/^\$apr1\$/, 'an MD5 hash (apr1)'],
  [/^\$1\$/, 'an MD5 hash'],
  [/^\{SHA\}/, 'a SHA-1 hash'],
  [/^\$5\$/, 'a SHA-256 hash (crypt)'],
  [/^\$6\$/, 'a SHA-512 hash (crypt)'],
  [/^[./A-Za-z0-9]{13}$/, 'a DES hash (crypt)'],
]

/** Users and their bcrypt hashes. */
type HtpasswdUsers = ReadonlyMap<string, string>

/** @throws `ERR_CREDENTIALS_INVALID` naming the line. */
export function parseHtpasswd(text: string, path: string, maxCost: number): HtpasswdUsers {
  const users = new Map<string, string>()
  for (const [index, line] of text.split('\n').entries()) {
    const entry = line.trim()
    if (entry === '' || entry.startsWith('#')) continue
    const colon = entry.indexOf(':')
    const hash = entry.slice(colon + 1)
    const cost = costOf(hash)
    if (colon < 1 || cost === undefined)
      throw new SpindleError(
        'ERR_CREDENTIALS_INVALID',
        `${path}:${index + 1} has ${describe(entry)}, not a user with a bcrypt hash: write it with "htpasswd -B"`,
      )
    if (cost > maxCost)
      throw new SpindleError(
        'ERR_CREDENTIALS_INVALID',
        `${path}:${index + 1} has a bcrypt hash of cost ${cost}, more than ${maxCost}: write it with "htpasswd -B -C 12", or raise "maxCost" (--htpasswd-max-cost at a shell)`,
      )
    users.set(entry.slice(0, colon), hash)
  }
  return users
}

/**
 * Hashes to compare a password of this user with: one of each cost in the file, so that known users
 * of whatever cost and unknown ones take the same time. At most one of them is a user's.
 */
export async function createHashChoice(
  users: HtpasswdUsers,
): Promise<(username: string) => readonly string[]> {
  const { genSaltSync } = await import('bcryptjs')
  const unknown = new Map<number | undefined, string>()
  for (const hash of users.values()) {
    const cost = costOf(hash)
    if (!unknown.has(cost)) unknown.set(cost, `${genSaltSync(cost)}${NO_HASH}`)
  }
  return (username) => {
    const own = users.get(username)
    const hashes = new Map(unknown)
    if (own !== undefined) hashes.set(costOf(own), own)
    return [...hashes.values()]
  }
}

/** Describes the format of an entry, without its content. */
function describe(entry: string): string {
  const hash = entry.slice(entry.indexOf(':') + 1)
  const [, format = 'something else'] = WEAK_FORMATS.find(([pattern]) => pattern.test(hash)) ?? []
  return entry.includes(':') ? format : 'no colon'
}

function costOf(hash: string): number | undefined {
  const digits = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash)?.[1]
  const cost = Number(digits)
  return digits !== undefined && cost >= MIN_BCRYPT_COST && cost <= 31 ? cost : undefined
}
