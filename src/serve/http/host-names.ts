import { isLoopback } from '../../http/realm.ts'

/**
 * Protection against DNS rebinding.
 *
 * If an attacker's domain resolves to 127.0.0.1, its pages have the same origin as a server there, so
 * neither CORS nor `Origin` stops them. Their requests still have the attacker's host name in `Host`.
 */
export interface HostNameOptions {
  /**
   * Accepted host names, without port: `registry.test`, `*.registry.test` for its subdomains, `*` for any.
   * Loopback names are always accepted: `localhost`, its subdomains, 127.0.0.0/8 and `[::1]`. Requests with
   * any other host name are answered with 421.
   */
  allowedHosts?: readonly string[]
}

/**
 * Creates a function that checks the host of a request's URL.
 * @throws `TypeError` for an invalid host name.
 */
export function createHostCheck(allowed: readonly string[]): (url: URL) => boolean {
  const names = new Set<string>()
  const suffixes: string[] = []
  let any = false
  for (const entry of allowed) {
    const name = parseHostName(entry.replace(/^\*\./, ''))
    if (entry === '*') any = true
    else if (name === undefined)
      throw new TypeError(
        `"allowedHosts" contains ${JSON.stringify(entry)}, which is not a host name: write it as registry.test, without scheme and port`,
      )
    else if (entry.startsWith('*.')) suffixes.push(`.${name}`)
    else names.add(name)
  }
  return ({ hostname }) => {
    const name = withoutRootDot(hostname)
    return (
      any ||
      isLoopbackName(name) ||
      names.has(name) ||
      suffixes.some((suffix) => name.length > suffix.length && name.endsWith(suffix))
    )
  }
}

/** The message for a host name that is not accepted. */
export function refusedHost({ hostname }: URL): string {
  return `the host name ${JSON.stringify(hostname.slice(0, 255))} is not allowed: add it to "allowedHosts", or to --allow-host on the command line`
}

/** Browsers resolve every subdomain of `localhost` to loopback. @see RFC 6761, 6.3 */
function isLoopbackName(name: string): boolean {
  return isLoopback(name) || name.endsWith('.localhost')
}

/** Normalizes a host name like `URL`; `undefined` for anything else. */
function parseHostName(text: string): string | undefined {
  const host = text.includes(':') && !text.startsWith('[') ? `[${text}]` : text
  if (!/^(?:[^\s/:?#@\\[\]*]+|\[[0-9a-f:.]+\])$/i.test(host)) return undefined
  const url = `http://${host}/`
  return URL.canParse(url) ? withoutRootDot(new URL(url).hostname) : undefined
}

function withoutRootDot(name: string): string {
  return name.replace(/\.$/, '')
}
