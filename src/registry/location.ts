import { SpindleError } from '../errors.ts'

/**
 * Where the next request of an upload goes. It may be another host, over https and without the
 * registry's token; a registry behind a proxy that forgets https is taken at its host's word.
 * @throws `ERR_RESPONSE`
 */
export function resolveLocation(location: string | null, from: URL): URL {
  let to: URL
  try {
    to = new URL(location ?? '', location === null ? undefined : from)
  } catch (cause) {
    throw new SpindleError(
      'ERR_RESPONSE',
      `${from.host} began an upload, but said not where it goes on (Location); in a page, it must expose that header`,
      { cause },
    )
  }
  to.username = ''
  to.password = ''
  to.hash = ''
  if (from.protocol === 'https:' && to.protocol === 'http:' && to.hostname === from.hostname) {
    to.protocol = 'https:'
    to.port = from.port
  }
  const isDowngrade =
    to.protocol !== 'https:' && (from.protocol === 'https:' || to.host !== from.host)
  if (isDowngrade || !/^https?:$/.test(to.protocol))
    throw new SpindleError(
      'ERR_RESPONSE',
      `${from.host} wants an upload to go to ${to.protocol}//${to.host}, which is not https: nothing was sent`,
    )
  return to
}
