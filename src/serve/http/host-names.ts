import { isLoopback } from '../../http/realm.ts'

/**
 * Host names that a server answers to.
 *
 * A page of an attacker's domain whose name is made to resolve to 127.0.0.1 (DNS rebinding) is of
 * the same origin as a server there, so neither CORS nor `Origin` stops it. Its requests still
 * carry the attacker's name in `Host`.
 */
export interface HostNameOptions {
  /**
   * Host names that are answered, without port: `registry.test`, `*.registry.test` for all below it,
   * `*` for any. Those of loopback are always answered: `localhost`, names below it, 127.0.0.0/8 and
   * `[::1]`. Any other is answered with 421.
   */
  allowedHosts?: readonly string[]
}

/**
 * Whether a URL's host may be answered.
 * @throws TypeError for what is no host name.
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
        `"allowedHosts" has ${JSON.stringify(entry)}, which is no host name: write it as registry.test, without scheme and port`,
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

/** What a server says to a host name that is not its own, as text. */
export function refusedHost({ hostname }: URL): string {
  return `this server does not answer to the host name ${JSON.stringify(hostname.slice(0, 255))}: name it in "allowedHosts", or with --allow-host at a shell`
}

/** Browsers take every name below `localhost` to this machine. @see RFC 6761, 6.3 */
function isLoopbackName(name: string): boolean {
  return isLoopback(name) || name.endsWith('.localhost')
}

/** As `URL` spells it; `undefined` for what holds more than a name. */
function parseHostName(text: string): string | undefined {
  const host = text.includes(':') && !text.startsWith('[') ? `[${text}]` : text
  if (!/^(?:[^\s/:?#@\\[\]*]+|\[[0-9a-f:.]+\])$/i.test(host)) return undefined
  const url = `http://${host}/`
  return URL.canParse(url) ? withoutRootDot(new URL(url).hostname) : undefined
}

function withoutRootDot(name: string): string {
  return name.replace(/\.$/, '')
}
