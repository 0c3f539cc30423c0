// Guests of Spin's own interface, which takes and gives whole bodies: the module of Spin 1.x and the
// component that took its place answer through jco as they do behind our handler.
import { describe, expect, it } from 'vitest'
import { createAppHandler } from '../../src/run/index.ts'
import { throughJco } from './component/through-jco.ts'
import { bytesOfFile, pulledApp } from './fixtures.ts'
import { legacyAsComponent } from './legacy-as-component.ts'

interface Asked {
  readonly method: string
  readonly uri: string
  readonly headers: ReadonlyArray<readonly [string, string]>
  readonly params: readonly never[]
  readonly body: Uint8Array | undefined
}
interface Answered {
  readonly status: number
  readonly headers?: ReadonlyArray<readonly [string, string]>
  readonly body?: Uint8Array
}
type Handle = (request: Asked) => Answered

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']
const guest = (name: string): Uint8Array => bytesOfFile(`test/guests/${name}.wasm`)
const refuse = (tag: string) => (): never => {
  throw { tag, val: '' }
}

function keyValue(): object {
  const values = new Map<string, Uint8Array>()
  return {
    open: () => 1,
    get: (_: number, key: string) => values.get(key) ?? refuse('no-such-key')(),
    set: (_: number, key: string, value: Uint8Array) => void values.set(key, value.slice()),
    getKeys: () => [...values.keys()],
  }
}

async function legacyThroughJco(): Promise<Handle> {
  const { handleHttpRequest } = await throughJco<{ readonly handleHttpRequest: Handle }>(
    await legacyAsComponent(guest('legacy')),
    {
      'spin-config': {
        getConfig: (key: string) => (key === 'greeting' ? 'Hello' : refuse('provider')()),
      },
      'key-value': keyValue(),
      sqlite: { open: refuse('access-denied'), execute: refuse('io'), close() {} },
      'wasi-outbound-http': { request: refuse('runtime-error') },
      'outbound-redis': { get: refuse('') },
    },
  )
  return handleHttpRequest
}

async function inboundThroughJco(): Promise<Handle> {
  const exports = await throughJco<{
    readonly inboundHttp: { readonly handleRequest: Handle }
  }>(guest('inbound'), {})
  return exports.inboundHttp.handleRequest
}

async function same(name: string, theirs: Handle, path: string, method = 'GET'): Promise<void> {
  const app = pulledApp(
    {
      guest: {
        wasm: guest(name),
        config: { greeting: 'Hello' },
        metadata: { key_value_stores: ['default'] },
      },
    },
    [{ route: '/...', component: 'guest' }],
  )
  const handler = await createAppHandler(app, { sqlite: () => undefined })
  const body = ['POST', 'PUT', 'PATCH'].includes(method) ? 'ünï' : undefined
  const request = new Request(`http://app.example${path}`, {
    method,
    headers: { 'x-a': '1' },
    ...(body !== undefined && { body }),
  })
  const ours = await handler.fetch(request)
  const answer = theirs({
    method: method.toLowerCase(),
    uri: path,
    // More than the guest's threshold, as ours gets Spin's beside its own.
    headers: Array.from({ length: 9 }, (_, i) => [`x-${i}`, '1'] as const),
    params: [],
    // Always there, as in Spin.
    body: new TextEncoder().encode(body ?? ''),
  })
  const own = [...ours.headers].filter(([header]) => header.startsWith('x-'))
  expect([ours.status, own, await ours.text()]).toEqual([
    answer.status,
    answer.headers?.map((header) => [...header]),
    method === 'HEAD' ? '' : new TextDecoder().decode(answer.body),
  ])
}

describe('through jco and behind our handler', () => {
  it.each(METHODS)('a component of fermyon:spin/inbound-http answers %s alike', async (method) => {
    await same('inbound', await inboundThroughJco(), '/a%20b?c=%C3%BC', method)
  })

  it.each(METHODS)('a module of Spin 1.x answers %s alike', async (method) => {
    await same('legacy', await legacyThroughJco(), '/a%20b?c=%C3%BC', method)
  })

  it.each(['/config', '/kv', '/sqlite/other'])(
    'a module of Spin 1.x answers %s alike',
    async (path) => {
      await same('legacy', await legacyThroughJco(), path)
    },
  )
})
