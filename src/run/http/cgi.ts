import { SpindleError } from '../../errors.ts'
import type { HeaderPairs } from '../../http/wire.ts'
import { MAX_FIELD_BYTES } from '../host/wasi/fields.ts'
import type { Execution } from './execution.ts'
import { fullUrl, givenHeader } from './headers.ts'
import { makeResponse } from './make-response.ts'
import { requestTarget } from './target.ts'

const NOT_PASSED: ReadonlySet<string> = new Set([
  'HTTP_AUTHORIZATION',
  'HTTP_CONNECTION',
  // Programs use HTTP_PROXY as their outbound proxy: https://httpoxy.org
  'HTTP_PROXY',
])

/** The environment of a WAGI program. @see Spin, `crates/http/src/wagi` */
export function wagiEnvironment(
  execution: Execution,
  bodySize: number,
): ReadonlyArray<readonly [string, string]> {
  const { request, match, base, clientAddress, host } = execution
  const url = new URL(request.url)
  const [, name = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? []
  const clientHost = clientAddress.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  const raw = match.route.raw
  const route = raw.endsWith('/...') ? raw.slice(0, -4) : raw
  const decoded = decodePath(match.pathInfo)
  const env = new Map<string, string>([
    ['AUTH_TYPE', ''],
    ['CONTENT_LENGTH', String(bodySize)],
    ['CONTENT_TYPE', request.headers.get('content-type') ?? ''],
    ['X_FULL_URL', fullUrl(request, host)],
    ['GATEWAY_INTERFACE', 'CGI/1.1'],
    ['X_MATCHED_ROUTE', match.route.effective],
    ['QUERY_STRING', requestTarget(request).query],
    ['REMOTE_ADDR', clientHost],
    ['REMOTE_HOST', clientHost],
    ['REMOTE_USER', ''],
    ['REQUEST_METHOD', request.method],
    ['SCRIPT_NAME', match.route.effective.replace(/\/\.\.\.$/, '')],
    ['X_RAW_PATH_INFO', match.pathInfo],
    ['PATH_INFO', decoded],
    ['PATH_TRANSLATED', decoded],
    ['SERVER_NAME', name],
    ['SERVER_PORT', port ?? (url.protocol === 'https:' ? '443' : '80')],
    ['SERVER_PROTOCOL', 'HTTP/1.1'],
    ['SERVER_SOFTWARE', 'WAGI/1'],
  ])
  for (const [header, value] of execution.headers) {
    // It would stand for the header with `-` in its place, which a proxy in front may vouch for.
    if (header.includes('_')) continue
    const variable = `HTTP_${header.toUpperCase().replaceAll('-', '_')}`
    if (NOT_PASSED.has(variable)) continue
    // RFC 3875 4.1.18 asks for a single value of repeated headers.
    const before = env.get(variable)
    const separator = header === 'cookie' ? '; ' : ', '
    env.set(variable, before === undefined ? value : `${before}${separator}${value}`)
  }
  env.set('X_BASE_PATH', base)
  env.set('X_RAW_COMPONENT_ROUTE', raw)
  env.set('X_COMPONENT_ROUTE', route)
  env.set('X_CLIENT_ADDR', clientAddress)
  for (const [param, value] of match.params)
    env.set(`X_PATH_MATCH_${param.toUpperCase().replaceAll('-', '_')}`, value)
  return [...env]
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

// A template may name the query over and over: longer than any URL that servers accept.
const MAX_ARGUMENT_CHARACTERS = 256 * 1024

const PLACEHOLDER = /\$\{(SCRIPT_NAME|ARGS)\}/g

/** Arguments by the trigger's template. Throws `ERR_LIMIT_EXCEEDED` before they are made. */
export function wagiArguments(template: string, { request }: Execution): readonly string[] {
  const { path, query } = requestTarget(request)
  const values = { SCRIPT_NAME: path, ARGS: query.replaceAll('&', ' ') }
  const valueOf = (name: string): string => values[name as keyof typeof values]
  let length = template.length
  // In a single pass: a path can contain a placeholder's text.
  for (const [, name = ''] of template.matchAll(PLACEHOLDER)) length += valueOf(name).length
  if (length > MAX_ARGUMENT_CHARACTERS)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the arguments of the program are longer than ${MAX_ARGUMENT_CHARACTERS} characters: shorten "argv" of its trigger`,
    )
  return template
    .replace(PLACEHOLDER, (_, name: string) => valueOf(name))
    .split(' ')
    .filter((argument, i) => i === 0 || argument !== '')
}

/** Parses the output of a WAGI program as a response. Throws `ERR_TRAP` when it is invalid. */
export function cgiResponse(output: Uint8Array, isHead: boolean): Response {
  if (output.length === 0) throw new SpindleError('ERR_TRAP', 'the program printed nothing')
  const end = headerEnd(output)
  if (end === undefined && output.length > MAX_FIELD_BYTES)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the program printed more than ${MAX_FIELD_BYTES} bytes of headers`,
    )
  if (end === undefined)
    throw new SpindleError('ERR_TRAP', 'the program printed no blank line after its headers')
  const headers = new Map<string, HeaderPairs[number]>()
  let status = 200
  let hasStatus = false
  let sufficient = false
  for (const line of new TextDecoder()
    .decode(output.subarray(0, end))
    .replaceAll('\r', '')
    .split('\n')) {
    const colon = line.indexOf(':')
    if (colon < 1) continue
    const name = line.slice(0, colon).trim().toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (name === 'status') {
      sufficient = hasStatus = true
      status = /^[1-9]\d\d(?!\d)/.test(value) ? Number(value.slice(0, 3)) : 502
      continue
    }
    if (name === 'location' || name === 'content-type') sufficient = true
    if (name === 'location' && !hasStatus) status = 302
    const header = givenHeader(name, value)
    headers.delete(name)
    if (header !== undefined) headers.set(name, header)
  }
  if (!sufficient)
    throw new SpindleError('ERR_TRAP', 'the program printed no content-type, status or location')
  return makeResponse({
    status,
    headers: [...headers.values()],
    body: output.slice(end),
    isHead,
  })
}

/** After the first empty line, if headers may be so long; carriage returns don't count. */
function headerEnd(output: Uint8Array): number | undefined {
  let atLineStart = true
  for (let i = 0; i < Math.min(output.length, MAX_FIELD_BYTES); i++) {
    const byte = output[i]
    if (byte === 13) continue
    if (byte === 10 && atLineStart) return i + 1
    atLineStart = byte === 10
  }
  return undefined
}
