import { SpindleError } from '../errors.ts'
import { type BindleId, parseBindleId } from './id.ts'
import type { Label } from './invoice.ts'

/** Where a server is, with the slash that paths are added after. */
export function baseOf(server: string | URL): URL {
  let base: URL
  try {
    base = new URL(server)
  } catch (cause) {
    throw new TypeError(
      `a Bindle server is named by its URL, as http://127.0.0.1:8080/v1, not ${JSON.stringify(String(server))}`,
      { cause },
    )
  }
  if (base.protocol !== 'http:' && base.protocol !== 'https:')
    throw new TypeError('a Bindle server is reached over http: or https:')
  if (base.username !== '' || base.password !== '')
    throw new TypeError('credentials go into "credentials", not into the URL: URLs end up in logs')
  if (!base.pathname.endsWith('/')) base.pathname += '/'
  base.search = ''
  base.hash = ''
  return base
}

/**
 * An id as it stands in a path: literally, since servers match the raw path.
 * What a URL would change or end at is refused: another invoice would be asked for.
 */
export function idPath(id: string | BindleId): string {
  const { name, version } = typeof id === 'string' ? parseBindleId(id) : id
  if (
    /[@?#%\\]|\p{Cc}/u.test(name) ||
    name.split('/').some((segment) => segment === '.' || segment === '..')
  ) {
    throw new SpindleError(
      'ERR_REFERENCE_INVALID',
      `${JSON.stringify(`${name}/${version}`)} can't be asked for in a URL; no server can give it out`,
    )
  }
  return `${name}/${version}`
}

export function parcelPath(id: string | BindleId, { sha256 }: Label): string {
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `${JSON.stringify(sha256)} is not a SHA-256 in lower-case hexadecimal`,
    )
  return `_i/${idPath(id)}@${sha256}`
}
