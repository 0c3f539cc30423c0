import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { SpindleError } from '../../errors.ts'
import type { Authenticate } from '../../serve/http/basic.ts'
import { createBcryptThread, MAX_PENDING_PASSWORDS } from './bcrypt.ts'
import { readFileBounded } from '../files/bounded-file.ts'
import { clientAddress } from '../listen/received-request.ts'
import { createHashChoice, MIN_BCRYPT_COST, parseHtpasswd } from './htpasswd-users.ts'

/** Tens of thousands of users. */
const MAX_FILE_BYTES = 4 * 1024 * 1024
/** Of bcrypt, which doubles its time with each: 14 takes a second or two for each guess. */
export const MAX_BCRYPT_COST = 14
/** Passwords that matched, not to be hashed again for each of the thousands of requests of a push. */
const REMEMBERED = 256

export interface HtpasswdOptions {
  /** Highest cost of a bcrypt hash. Default 14, which takes a second or two for each guess. */
  readonly maxCost?: number
  /** Most passwords that wait to be compared; more are refused with 429. Default 64. */
  readonly maxPending?: number
}

/**
 * Who may log in by user name and password, from a file that `htpasswd -B` writes.
 *
 * Exported from `spindle/node`. Fits `createBasicAuthorizer`, `createTokenService` and
 * `authorizeBindleBasic`. Passwords are compared in a thread of their own, and an unknown user takes
 * as long as a known one. The file is read once.
 *
 * @example A registry and a Bindle server with the same users
 * ```ts
 * const authenticate = await readHtpasswd('./htpasswd')
 * await listen(createRegistryHandler({ authorize: createBasicAuthorizer({ authenticate }) }))
 * await listen(createBindleHandler({ authorize: authorizeBindleBasic(authenticate) }))
 * ```
 * @throws `ERR_CREDENTIALS_INVALID` naming the line of a hash that isn't bcrypt, as others are broken
 * in minutes, or whose cost is above `maxCost`. `ERR_FILE_MISSING`. What it returns rejects with
 * `ERR_LIMIT_EXCEEDED` when too many passwords wait.
 */
export async function readHtpasswd(
  path: string,
  options: HtpasswdOptions = {},
): Promise<Authenticate> {
  const { maxCost = MAX_BCRYPT_COST, maxPending = MAX_PENDING_PASSWORDS } = options
  if (!Number.isInteger(maxCost) || maxCost < MIN_BCRYPT_COST || maxCost > 31)
    throw new TypeError(`"maxCost" must be a whole number from 4 to 31, not ${maxCost}`)
  if (!Number.isInteger(maxPending) || maxPending < 1)
    throw new TypeError(`"maxPending" must be a whole number from 1 on, not ${maxPending}`)
  const bytes = await readFileBounded(path, MAX_FILE_BYTES)
  if (bytes === undefined) throw new SpindleError('ERR_FILE_MISSING', `there is no file ${path}`)
  const users = parseHtpasswd(new TextDecoder().decode(bytes), path, maxCost)
  const hashesOf = await createHashChoice(users)
  const compare = createBcryptThread(maxPending)
  const secret = randomBytes(32)
  const known = new Map<string, Buffer>()
  /** Requests of one client come together, each with the same password. */
  const underWay = new Map<string, Promise<boolean>>()

  return async (username, password, request) => {
    const mark = createHmac('sha256', secret).update(password).digest()
    const before = known.get(username)
    if (before !== undefined && timingSafeEqual(before, mark)) return true
    const key = `${mark.toString('base64')}:${username}`
    const shared = underWay.get(key)
    if (shared !== undefined) return shared
    const client = request === undefined ? '' : (clientAddress(request)?.address ?? '')
    const matching = compare(password, hashesOf(username), client)
    underWay.set(key, matching)
    try {
      if (!(await matching)) return false
    } finally {
      underWay.delete(key)
    }
    if (known.size >= REMEMBERED) known.clear()
    known.set(username, mark)
    return true
  }
}
