const ALLOW_ALL = 'insecure:allow-all'

/** What databases a component could reach before they had to be listed. */
const DATABASE_HOSTS = ['redis://*:*', 'mysql://*:*', 'postgres://*:*'] as const

/**
 * Turns entries of the deprecated `allowed_http_hosts` into those of `allowed_outbound_hosts`.
 * @returns The entries, and for each that is wrong its index and Spin's words.
 */
export function convertAllowedHttpHosts(
  hosts: readonly string[],
  options: { readonly allowDatabases: boolean },
): { readonly converted: readonly string[]; readonly problems: ReadonlyMap<number, string> } {
  const databases = options.allowDatabases ? DATABASE_HOSTS : []
  if (hosts.includes(ALLOW_ALL)) {
    return {
      converted: [...databases, 'http://*:*', 'https://*:*', 'http://self'],
      problems: new Map(),
    }
  }
  const problems = new Map<number, string>()
  const converted = hosts.flatMap((text, index) => {
    const host = readHttpHost(text)
    if (typeof host === 'string') {
      problems.set(index, host)
      return []
    }
    return host.authority === 'self'
      ? ['http://self']
      : [`http://${host.authority}`, `https://${host.authority}`]
  })
  return { converted: [...databases, ...converted], problems }
}

function readHttpHost(text: string): { readonly authority: string } | string {
  const hasScheme = text.includes('//')
  let url: URL
  try {
    url = new URL(hasScheme ? text : `http://${text}`)
  } catch {
    return hasScheme
      ? `${text} isn't a valid HTTP host URL`
      : `${text} isn't a valid host or host:port string`
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return `${text} isn't a valid host or host:port string`
  if (url.pathname.length > 1)
    return `${text} contains a path, should be host and optional port only`
  return { authority: url.port === '' ? url.hostname : `${url.hostname}:${url.port}` }
}
