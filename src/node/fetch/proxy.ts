import { BlockList, isIP } from 'node:net'
import process from 'node:process'
import { domainToASCII } from 'node:url'
import { formatBase64 } from '../../bytes/base64.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { type PlainErrorCode, type ResponseData, SpindleError } from '../../errors.ts'
import { nonEmpty } from '../files/environment.ts'

/** The proxies for requests. Loopback is always reached without one. */
export interface ProxySettings {
  /** Address of the proxy for `http:` URLs, as `http://user:password@proxy.example:3128`. Default: none. */
  readonly http?: string
  /** Address of the proxy for `https:` URLs. Default: none. */
  readonly https?: string
  /**
   * Hosts to reach without a proxy, separated by commas or blanks: a name with its subdomains
   * (`example.com`), subdomains only (`.example.com`), an IP address, a range of them (`10.0.0.0/8`),
   * or `*` for all. Names and addresses can have a port. Default: none.
   */
  readonly noProxy?: string
  /** Where the addresses were set, for messages. Default: the options above. */
  readonly names?: { readonly http?: string; readonly https?: string }
}

/** The error for a proxy that refuses, or that can't be used. */
export class ProxyError extends SpindleError {
  override readonly name: string = 'ProxyError'

  constructor(
    code: PlainErrorCode | 'ERR_RESPONSE',
    message: string,
    options?: { readonly cause?: unknown; readonly response?: ResponseData },
  ) {
    super(code as PlainErrorCode, message, options)
    if (options?.response !== undefined) Object.assign(this, options.response)
  }
}

export interface Proxy {
  readonly isTls: boolean
  /** Without brackets around an IPv6 address. */
  readonly host: string
  readonly port: number
  /** For the header `Proxy-Authorization`. */
  readonly authorization: string | undefined
  /** Its address without user name and password, and where it was set. */
  readonly shown: string
}

/**
 * Reads the proxies from `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, or their lower-case spellings, as
 * Go's tools do: upper case wins. `ALL_PROXY` is for URLs without a proxy of their own.
 *
 * Exported from `spindle/node`. Ignores `HTTP_PROXY` where `REQUEST_METHOD` is set: in a CGI program
 * that variable is a header of the request.
 *
 * @example As the command does
 * ```ts
 * const fetch = createNodeFetch({ proxy: readProxyEnvironment() })
 * ```
 * @see https://pkg.go.dev/golang.org/x/net/http/httpproxy
 */
export function readProxyEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ProxySettings {
  const firstSet = (...names: string[]): string | undefined =>
    names.find((name) => nonEmpty(env[name]) !== undefined)
  const isCgi = nonEmpty(env['REQUEST_METHOD']) !== undefined
  const http = firstSet(...(isCgi ? [] : ['HTTP_PROXY']), 'http_proxy', 'ALL_PROXY', 'all_proxy')
  const https = firstSet('HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy')
  const none = firstSet('NO_PROXY', 'no_proxy')
  return {
    ...(http !== undefined && { http: env[http] as string }),
    ...(https !== undefined && { https: env[https] as string }),
    ...(none !== undefined && { noProxy: env[none] as string }),
    names: { ...(http !== undefined && { http }), ...(https !== undefined && { https }) },
  }
}

/**
 * Makes what finds the proxy for a URL.
 *
 * It throws `ProxyError` (`ERR_UNSUPPORTED`) when the proxy's address can't be used, but not for URLs
 * that need no proxy.
 */
export function createProxySelector(settings: ProxySettings): (url: URL) => Proxy | undefined {
  const isExempt = parseNoProxy(settings.noProxy ?? '')
  const parsed = new Map<string, Proxy>()
  return ({ protocol, hostname, port }) => {
    const scheme = protocol === 'https:' ? 'https' : 'http'
    const address = settings[scheme]?.trim() ?? ''
    const host = hostname.replace(/^\[|\]$|\.$/g, '')
    const effectivePort = port === '' ? (scheme === 'https' ? '443' : '80') : port
    if (address === '' || isLoopback(host) || isExempt(host, effectivePort)) return undefined
    const proxy =
      parsed.get(address) ?? parseProxy(address, settings.names?.[scheme] ?? `"proxy.${scheme}"`)
    parsed.set(address, proxy)
    return proxy
  }
}

/** @param name Of the setting, for messages: its value can hold a password. */
function parseProxy(address: string, name: string): Proxy {
  const refuse = (why: string): ProxyError =>
    new ProxyError(
      'ERR_UNSUPPORTED',
      `${name} is not a usable proxy address: ${why}; write it as http://HOST:PORT, or name hosts to reach without it in NO_PROXY`,
    )
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `http://${address}`
  const scheme = text.slice(0, text.indexOf(':')).toLowerCase()
  if (scheme.startsWith('socks')) throw refuse(`SOCKS proxies (${scheme}) are not supported`)
  if (scheme !== 'http' && scheme !== 'https') throw refuse(`its scheme is neither http nor https`)
  const url = URL.canParse(text) ? new URL(text) : undefined
  // A password with one of these characters would be cut here, and part of it taken for the host.
  if (url === undefined || url.pathname.length > 1 || url.search !== '' || url.hash !== '')
    throw refuse(
      'it is not a URL of scheme, host and port (in a password, write "/", "?", "#" and "@" as %2F, %3F, %23 and %40)',
    )
  const { hostname, port, username, password } = url
  const isTls = scheme === 'https'
  return {
    isTls,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (isTls ? 443 : 80) : Number(port),
    authorization:
      username === '' && password === ''
        ? undefined
        : `Basic ${formatBase64(encodeUtf8(`${decode(username)}:${decode(password)}`))}`,
    shown: `${url.origin} (${name})`,
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || includes(LOOPBACK, host)
}

function includes(list: BlockList, host: string): boolean {
  const version = isIP(host)
  return version !== 0 && list.check(host, version === 6 ? 'ipv6' : 'ipv4')
}

type Exemption = (host: string, port: string) => boolean

/** What is not of these forms exempts nothing, as in Go. */
function parseNoProxy(text: string): Exemption {
  const rules = text
    .toLowerCase()
    .split(/[\s,]+/)
    .flatMap((entry) => parseExemption(entry) ?? [])
  return (host, port) => rules.some((matches) => matches(host, port))
}

function parseExemption(entry: string): Exemption | undefined {
  if (entry === '*') return () => true
  const range = /^(.+)\/(\d{1,3})$/.exec(entry)
  if (range !== null) {
    const [, address = '', prefix] = range
    const version = isIP(address)
    if (version === 0 || Number(prefix) > (version === 6 ? 128 : 32)) return undefined
    const list = new BlockList()
    list.addSubnet(address, Number(prefix), version === 6 ? 'ipv6' : 'ipv4')
    // The list would take an IPv4 address for its form in IPv6.
    return (host) => (isIP(host) === 6 || version === 4) && includes(list, host)
  }
  const [, name = '', portOfEntry] =
    isIP(entry) === 6 ? [entry, entry] : (/^(.*?)(?::(\d{0,5}))?$/.exec(entry) ?? [])
  const host = name.replace(/^\[|\]$|\.$/g, '')
  const version = isIP(host)
  if (version !== 0) {
    const list = new BlockList()
    list.addAddress(host, version === 6 ? 'ipv6' : 'ipv4')
    return (other, port) => includes(list, other) && (portOfEntry || port) === port
  }
  const bare = host.replace(/^\*?\./, '')
  const domain = domainToASCII(bare) || bare
  // What is no host name, such as a URL, is not made one.
  if (domain === '' || /[/?#@:\\]/.test(bare)) return undefined
  return (other, port) =>
    (other.endsWith(`.${domain}`) || (other === domain && bare === host)) &&
    (portOfEntry || port) === port
}
