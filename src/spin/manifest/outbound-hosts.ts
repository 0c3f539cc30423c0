import { SpindleError } from '../../errors.ts'
import { type IpRange, ipRangeContains, parseIpRange } from './ip-range.ts'

/** A host that an entry of `allowed_outbound_hosts` names. */
type AllowedHostName =
  | { readonly kind: 'any' }
  /** The application itself: relative requests. */
  | { readonly kind: 'self' }
  /** Any depth below, not the domain itself; begins with a dot. */
  | { readonly kind: 'subdomain'; readonly suffix: string }
  /** As a URL spells it: lower case, punycode, IPv6 in brackets. */
  | { readonly kind: 'literal'; readonly host: string }
  | { readonly kind: 'range'; readonly range: IpRange }

/** One entry of `allowed_outbound_hosts`. */
export interface AllowedHost {
  /** `*` for any. */
  readonly scheme: string
  readonly host: AllowedHostName
  /** From, and up to but not with. */
  readonly ports: 'any' | readonly [number, number]
}

/** Below it every component answers by its id. */
const SERVICE_CHAINING_SUFFIX = '.spin.internal'

const KNOWN_PORTS: ReadonlyMap<string, number> = new Map([
  ['postgres', 5432],
  ['mysql', 3306],
  ['redis', 6379],
  ['mqtt', 1883],
  ['http', 80],
  ['https', 443],
])

/**
 * Reads one entry, such as `https://*.example.com:443`.
 * @throws `ERR_CONTENT_INVALID` with Spin's words for what is wrong.
 */
export function parseAllowedHost(text: string): AllowedHost {
  const result = readAllowedHost(text)
  if ('problem' in result) throw new SpindleError('ERR_CONTENT_INVALID', result.problem)
  return result
}

/** As `parseAllowedHost`, with the problem as a value. */
export function readAllowedHost(text: string): AllowedHost | { readonly problem: string } {
  const url = text.trim()
  const split = url.indexOf('://')
  if (split === -1) return { problem: noScheme(url) }
  const scheme = url.slice(0, split)
  const authority = splitPort(url.slice(split + 3))
  if (authority === undefined)
    return { problem: `${JSON.stringify(url)} has a path but is not allowed to` }
  const ports = readPorts(authority.port, scheme)
  if (typeof ports === 'object' && 'problem' in ports) {
    return {
      problem: `Invalid allowed host port ${JSON.stringify(authority.port)}: ${ports.problem}`,
    }
  }
  const schemeProblem = schemeProblemOf(scheme)
  if (schemeProblem !== undefined)
    return { problem: `Invalid allowed host scheme ${JSON.stringify(scheme)}: ${schemeProblem}` }
  const host = readHost(authority.host)
  if ('problem' in host)
    return { problem: `Invalid allowed host ${JSON.stringify(authority.host)}: ${host.problem}` }
  return { scheme, host, ports }
}

function noScheme(url: string): string {
  const learn =
    'Learn more: https://spinframework.dev/v3/http-outbound#granting-http-permissions-to-components'
  if (['*', ':', '', '?'].includes(url)) {
    return `${JSON.stringify(url)} is not an allowed outbound host format.\nHosts must be in the form <scheme>://<host>[:<port>], with '*' wildcards allowed for each.\nIf you intended to allow all outbound networking, you can use '*://*:*' - this will obviate all network sandboxing.\n${learn}`
  }
  return `${JSON.stringify(url)} does not contain a scheme (e.g., 'http://' or '*://')\n${learn}`
}

/** At the last colon, but not within a bare IPv6 range; `undefined` when a path follows the port. */
function splitPort(rest: string): { readonly host: string; readonly port: string } | undefined {
  const colon = rest.lastIndexOf(':')
  if (colon === -1) return { host: rest, port: '' }
  const host = rest.slice(0, colon)
  const tail = rest.slice(colon + 1)
  if (tail === '') return { host, port: '' }
  if (!('problem' in readHost(rest))) return { host: rest, port: '' }
  const slash = tail.indexOf('/')
  if (slash === -1) return { host, port: tail }
  return slash === tail.length - 1 ? { host, port: tail.slice(0, slash) } : undefined
}

function schemeProblemOf(scheme: string): string | undefined {
  if (scheme === '*') return undefined
  if (scheme.startsWith('{')) return 'scheme lists are not supported'
  return /^\p{Alphabetic}*$/u.test(scheme) ? undefined : 'only alphabetic characters are allowed'
}

function readPorts(
  port: string,
  scheme: string,
): AllowedHost['ports'] | { readonly problem: string } {
  if (port === '') {
    const known = KNOWN_PORTS.get(scheme)
    if (known !== undefined) return [known, known + 1]
    return {
      problem: `no port was provided and the scheme ${JSON.stringify(scheme)} does not have a known default port number`,
    }
  }
  if (port === '*') return 'any'
  if (port.startsWith('{')) return { problem: 'port lists are not yet supported' }
  const dots = port.indexOf('..')
  if (dots !== -1) {
    const start = readPort(port.slice(0, dots))
    const end = readPort(port.slice(dots + 2))
    if (start === undefined || end === undefined)
      return { problem: `port range ${JSON.stringify(port)} contains non-number` }
    return [start, end]
  }
  const number = readPort(port)
  return number === undefined
    ? { problem: `port ${JSON.stringify(port)} is not a number` }
    : [number, number + 1]
}

function readPort(text: string): number | undefined {
  const port = /^\+?[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN
  return port <= 0xffff ? port : undefined
}

function readHost(text: string): AllowedHostName | { readonly problem: string } {
  const name = text.trim()
  if (name === '*') return { kind: 'any' }
  if (name === 'self' || name === 'self.alt') return { kind: 'self' }
  if (name.startsWith('{')) return { problem: 'host lists are not yet supported' }
  const range = parseIpRange(name)
  if (range !== undefined) return { kind: 'range', range }
  const host = name.endsWith('/') ? name.slice(0, -1) : name
  if (host.includes('/')) return { problem: 'must not include a path' }
  if (host.startsWith('*.')) {
    const domain = host.slice(2)
    if (domain.includes('*')) return { problem: 'wildcards are allowed only as prefixes' }
    const parsed = parseUrlHost(domain)
    if (parsed === undefined) return { problem: `invalid wildcard host "*.${domain}"` }
    if (!isDomain(parsed)) return { problem: 'wildcard suffix must be a domain' }
    return { kind: 'subdomain', suffix: `.${parsed}` }
  }
  if (host.includes('*')) return { problem: 'wildcards are allowed only as subdomains' }
  const parsed = parseUrlHost(host)
  if (parsed !== undefined) return { kind: 'literal', host: parsed }
  return { problem: host === '' ? 'empty host' : 'invalid international domain name' }
}

/** As the URL standard's host parser for `http`; `undefined` when it refuses. */
function parseUrlHost(text: string): string | undefined {
  // These would end the host within a URL, or be silently dropped from one.
  if (text === '' || /[/?#@\\\s]/.test(text)) return undefined
  if (text.includes(':') && !/^\[[^[\]]*\]$/.test(text)) return undefined
  try {
    return new URL(`http://${text}/`).hostname || undefined
  } catch {
    return undefined
  }
}

function isDomain(host: string): boolean {
  return !host.startsWith('[') && parseIpRange(host) === undefined
}

/** Whether any entry lets a component send to a URL; what can't be parsed with or without `scheme` isn't let. */
export function allowsUrl(
  hosts: readonly AllowedHost[],
  url: string,
  scheme: string = 'http',
): boolean {
  const target = parseOutboundUrl(url) ?? parseOutboundUrl(`${scheme}://${url}`)
  if (target === undefined) return false
  return hosts.some(
    (allowed) =>
      (allowed.scheme === '*' || allowed.scheme === target.scheme) &&
      allowsHost(allowed.host, target.host) &&
      (allowed.ports === 'any' ||
        (target.port !== undefined &&
          target.port >= allowed.ports[0] &&
          target.port < allowed.ports[1])),
  )
}

/** Whether any entry lets a component send to its own application. */
export function allowsSelf(
  hosts: readonly AllowedHost[],
  schemes: readonly string[] = ['http', 'https'],
): boolean {
  return hosts.some(
    ({ scheme, host }) =>
      (scheme === '*' || schemes.includes(scheme)) && (host.kind === 'any' || host.kind === 'self'),
  )
}

function allowsHost(allowed: AllowedHostName, host: string): boolean {
  switch (allowed.kind) {
    case 'any':
      return true
    case 'self':
      return false
    case 'subdomain':
      return isDomain(host) && host.endsWith(allowed.suffix)
    case 'literal':
      return host === allowed.host
    case 'range':
      return ipRangeContains(allowed.range, host)
  }
}

interface OutboundUrl {
  readonly scheme: string
  readonly host: string
  readonly port: number | undefined
}

function parseOutboundUrl(text: string): OutboundUrl | undefined {
  // Passwords of databases hold what a URL may not. Only tried when it is no URL as it stands:
  // `http://evil.example?@allowed.example` is one, of the first host.
  const url = toUrl(text) ?? toUrl(text.replace(/^([^/?#]*:\/\/)[^/]*@/, '$1'))
  const host = url === undefined ? undefined : parseUrlHost(url.hostname)
  if (url === undefined || host === undefined) return undefined
  const scheme = url.protocol.slice(0, -1)
  return { scheme, host, port: url.port === '' ? KNOWN_PORTS.get(scheme) : Number(url.port) }
}

function toUrl(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

/** Whether an entry, templates unresolved, is about another component of the application. */
export function isServiceChainingHost(allowed: AllowedHost): boolean {
  const { host } = allowed
  if (host.kind === 'subdomain') return host.suffix === SERVICE_CHAINING_SUFFIX
  return (
    host.kind === 'literal' && isDomain(host.host) && host.host.endsWith(SERVICE_CHAINING_SUFFIX)
  )
}

/** `*.spin.internal` names no host outside: it means each component that there is. */
export function expandServiceChaining(
  hosts: readonly AllowedHost[],
  componentIds: readonly string[],
): readonly AllowedHost[] {
  return hosts.flatMap((allowed) =>
    allowed.host.kind === 'subdomain' && allowed.host.suffix === SERVICE_CHAINING_SUFFIX
      ? componentIds.map((id): AllowedHost => ({
          ...allowed,
          host: { kind: 'literal', host: `${id}${SERVICE_CHAINING_SUFFIX}` },
        }))
      : [allowed],
  )
}

/** What a resolved template may also be: an endpoint that is not set. */
export function isUnsetHost(resolved: string): boolean {
  return resolved === '' || resolved === 'http://' || resolved === 'https://'
}
