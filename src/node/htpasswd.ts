import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { SpindleError } from '../errors.ts'
import { readFileBounded } from './bounded-file.ts'

/** Tens of thousands of users. */
const FILE_BYTES = 4 * 1024 * 1024
/** Passwords that fitted, not to be hashed anew for each of the thousands of requests of a push. */
const REMEMBERED = 256
/** Compared with for users that there are not, so that asking for one takes as long. */
const NOBODY = '$2b$10$Ns9BUXmWtdhy0D0CQFVHJeHG3EKCLeHhDR4YfVDwCkWiOZZLe1z4m'

/**
 * Who may in by user name and password, from a file that `htpasswd -B` writes.
 *
 * Exported from `spindle/node`.
 *
 * @example A Bindle server with users
 * ```ts
 * const authorize = authorizeBindleBasic(await readHtpasswd('./htpasswd'))
 * await listen(createBindleHandler({ authorize }))
 * ```
 * @throws `ERR_CREDENTIALS_INVALID` naming the line of a hash that isn't bcrypt: others are broken
 * in minutes. `ERR_FILE_MISSING`
 */
export async function readHtpasswd(
  path: string,
): Promise<(username: string, password: string) => Promise<boolean>> {
  const bytes = await readFileBounded(path, FILE_BYTES)
  if (bytes === undefined) throw new SpindleError('ERR_FILE_MISSING', `there is no file ${path}`)
  const hashes = new Map<string, string>()
  for (const [index, line] of new TextDecoder().decode(bytes).split('\n').entries()) {
    const entry = line.trim()
    if (entry === '' || entry.startsWith('#')) continue
    const colon = entry.indexOf(':')
    const hash = entry.slice(colon + 1)
    if (colon < 1 || !/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash))
      throw new SpindleError(
        'ERR_CREDENTIALS_INVALID',
        `${path}:${index + 1} has no user with a bcrypt hash: write it with "htpasswd -B"`,
      )
    hashes.set(entry.slice(0, colon), hash)
  }
  const { compare } = await import('bcryptjs')
  const secret = randomBytes(32)
  const known = new Map<string, Buffer>()
  return async (username, password) => {
    const mark = createHmac('sha256', secret).update(password).digest()
    const before = known.get(username)
    if (before !== undefined && timingSafeEqual(before, mark)) return true
    const hash = hashes.get(username)
    const fits = (await compare(password, hash ?? NOBODY)) && hash !== undefined
    if (!fits) return false
    if (known.size >= REMEMBERED) known.clear()
    known.set(username, mark)
    return true
  }
}
