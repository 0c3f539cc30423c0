import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseKeyring, parseSecretKeys } from '../../../src/bindle/keyring.ts'
import { parseToml } from '../../../src/bytes/toml.ts'
import { authorizeBindleBasic } from '../../../src/serve/bindle/authorize.ts'
import {
  type BindleHandlerOptions,
  createBindleHandler,
} from '../../../src/serve/bindle/handler.ts'

interface Exchange {
  readonly method: string
  readonly path: string
  readonly reqHeaders?: Record<string, string>
  readonly reqBody?: string
  readonly status: number
  readonly headers?: Record<string, string>
  readonly contentType?: string
  readonly body?: string
}

const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/bindle/${name}`, import.meta.url), 'utf8')
const keyring = parseKeyring(fixture('keyring.toml'))
const hostKey = parseSecretKeys(fixture('host_secret_keys.toml')).key[0]!

interface Improvement {
  readonly why: string
  readonly status: number
  readonly contentType: string
  /** The recorded response to HEAD, with the body of GET. */
  readonly contentLength?: string
  readonly body: string
}

/** Intended differences: by file and exchange, the response instead of the recorded one. */
const IMPROVED = JSON.parse(fixture('improved-answers.json')) as Readonly<
  Record<string, Readonly<Record<string, Improvement>>>
>

async function replay(name: string, options: BindleHandlerOptions): Promise<string[]> {
  const exchanges = JSON.parse(fixture(name)) as Exchange[]
  const handler = createBindleHandler(options)
  const differences: string[] = []
  for (const [index, exchange] of exchanges.entries()) {
    const path = exchange.path.startsWith('/') ? exchange.path : `/v1/${exchange.path}`
    const response = await handler.fetch(
      new Request(`http://bindle.test${path}`, {
        method: exchange.method,
        headers:
          exchange.reqHeaders ??
          (exchange.path === '_i' && exchange.method === 'POST'
            ? { 'content-type': 'application/toml' }
            : {}),
        ...bodyOf(exchange),
      }),
    )
    const body = await response.text()
    const improved = IMPROVED[name]?.[index]
    const wanted = improved ?? exchange
    const place = `${index} ${exchange.method} ${exchange.path}${improved ? ` (${improved.why})` : ''}`
    const type = exchange.headers?.['content-type'] ?? exchange.contentType
    const differs = (what: string, actual: unknown, expected: unknown): void =>
      void differences.push(`${place}: ${what} ${String(actual)}, expected ${String(expected)}`)
    if (response.status !== wanted.status) differs('status', response.status, wanted.status)
    const wantedType = improved?.contentType ?? type
    if (wantedType !== undefined && response.headers.get('content-type') !== wantedType)
      differs('type', response.headers.get('content-type'), wantedType)
    const length = response.headers.get('content-length')
    if (improved?.contentLength !== undefined && length !== improved.contentLength)
      differs('length', length, improved.contentLength)
    if (!sameMeaning(wantedType, body, wanted.body ?? '', wanted.status))
      differs('body', body, wanted.body)
  }
  return differences
}

/** Bytes, because a string body would add a content type. */
function bodyOf({ method, path, reqBody }: Exchange): { body?: Uint8Array<ArrayBuffer> } {
  if (method === 'GET') return {}
  // The recording is text and has a name instead of this body, an empty module.
  if (path.endsWith('@93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476'))
    return { body: Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0) }
  return reqBody === undefined
    ? {}
    : { body: new TextEncoder().encode(reqBody) as Uint8Array<ArrayBuffer> }
}

/** Compares documents as values: `null` equals absent, and the times of host signatures are ignored. */
function sameMeaning(
  type: string | undefined,
  actual: string,
  recorded: string,
  status: number,
): boolean {
  if (recorded === '') return actual === ''
  if (type === undefined || !/^application\/(?:toml|json)/.test(type)) return actual === recorded
  const value = (text: string): unknown =>
    plain(type.endsWith('json') ? JSON.parse(text) : parseToml(text, 'a body'))
  // Parsers have different messages; compare only the kind of the error.
  if (status === 400 && recorded.includes('deserialize error'))
    return actual.includes('Request body toml deserialize error')
  return JSON.stringify(value(actual)) === JSON.stringify(value(recorded))
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value as Record<string, unknown>)
    .filter(
      ([key, inner]) =>
        inner !== null && !(key === 'at' && (value as { role?: string }).role === 'host'),
    )
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, inner]) => [key, plain(inner)]))
}

describe('recorded exchanges with the reference server', () => {
  it('0.9.1 without authentication: equal except for the improvements', async () => {
    expect(await replay('http-main.json', { keyring, hostKey })).toEqual([])
  })
  it('0.9.1 with Basic authentication: equal except for the improvements', async () => {
    const authorize = authorizeBindleBasic(
      (username, password) => username === 'admin' && password === 'sw0rdf1sh',
    )
    expect(await replay('http-basic.json', { keyring, hostKey, authorize })).toEqual([])
  })
  it('0.8.2 with a push by Spin: equal except for the improvements', async () => {
    expect(await replay('http-spin-on-0.8.2.json', { hostKey })).toEqual([])
  })
})
