import { SpindleError } from '../errors.ts'
import { redactUrl } from './redact.ts'

/** Whether a host is this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}

/** Whether a host is in a private network. `URL` has normalized unusual spellings of IPv4. */
function isPrivate(hostname: string): boolean {
  return (
    isLoopback(hostname) ||
    hostname.endsWith('.localhost') ||
    /^(?:0|10|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(
      hostname,
    ) ||
    /^\[(?:::|f[cd]|fe[89ab])/.test(hostname)
  )
}

/**
 * Checks the URL of a token service, which receives the password: https, unless the registry itself
 * uses http; and not in a private network, unless the registry is in one.
 * @throws `ERR_UNAUTHORIZED`
 */
export function assertRealm(realm: URL, registry: URL): void {
  const refuse = (why: string): SpindleError =>
    new SpindleError(
      'ERR_UNAUTHORIZED',
      `${registry.host} names a token service at ${redactUrl(realm)}, which ${why}: no credentials were sent; check the address of the registry`,
    )
  if (realm.protocol !== 'https:' && !(realm.protocol === 'http:' && registry.protocol === 'http:'))
    throw refuse('is not https')
  if (realm.username !== '' || realm.password !== '') throw refuse('has a user name in it')
  if (realm.hostname === registry.hostname) return
  if (isLoopback(realm.hostname) && isLoopback(registry.hostname)) return
  if (isPrivate(realm.hostname)) throw refuse('is in a private network')
  if (realm.protocol === 'http:' && !isPrivate(registry.hostname)) throw refuse('is not https')
}
