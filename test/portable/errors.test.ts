import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  AppInvalid,
  type ErrorCode,
  type Finding,
  InvalidResponse,
  isSpindleError,
  PolicyRejected,
  type RejectedSignature,
  ResponseError,
  type ResponseDetail,
  SignatureInvalid,
  type SignatureReason,
  SpindleError,
} from '../../src/errors.ts'
import { rewordError } from '../../src/bytes/reword-error.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Descriptor, Store } from '../../src/types.ts'
import { copy } from '../../src/verbs/copy.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { push } from '../../src/verbs/push.ts'

/** What a `switch` over the code knows, checked by the compiler. */
function describeError(error: unknown): string {
  if (!isSpindleError(error)) return 'another'
  switch (error.code) {
    case 'ERR_APP_INVALID':
      expectTypeOf(error.findings).toEqualTypeOf<readonly Finding[]>()
      return error.findings.map(({ message }) => message).join()
    case 'ERR_RESPONSE':
      expectTypeOf(error.status).toEqualTypeOf<number>()
      expectTypeOf(error.details).toEqualTypeOf<readonly ResponseDetail[]>()
      return `${error.method} ${error.status}`
    case 'ERR_UNAUTHORIZED':
      expectTypeOf(error.status).toEqualTypeOf<number | undefined>()
      return `status ${error.status}`
    case 'ERR_SIGNATURE_INVALID':
      expectTypeOf(error.reason).toEqualTypeOf<SignatureReason>()
      return error.reason
    case 'ERR_POLICY_REJECTED':
      expectTypeOf(error.rejected).toEqualTypeOf<readonly RejectedSignature[]>()
      return `${error.reason} ${error.rejected.length}`
    default:
      // @ts-expect-error Of other codes no error has findings.
      expect(error.findings).toBeUndefined()
      return error.code
  }
}

const answer = { status: 500, method: 'GET', url: 'https://registry.test/v2/' }
const made: ReadonlyArray<readonly [SpindleError, string]> = [
  [new AppInvalid([{ code: 'a', message: 'b' }]), 'b'],
  [new ResponseError('ERR_RESPONSE', 'a', answer), 'GET 500'],
  [new InvalidResponse('a', answer), 'GET 500'],
  [new ResponseError('ERR_UNAUTHORIZED', 'a', { ...answer, status: 401 }), 'status 401'],
  [new SpindleError('ERR_UNAUTHORIZED', 'a'), 'status undefined'],
  [new SignatureInvalid('CERT_TIME', 'a'), 'CERT_TIME'],
  [new PolicyRejected('NO_SIGNATURES', 'a', []), 'NO_SIGNATURES 0'],
  [new SpindleError('ERR_TRAP', 'a'), 'ERR_TRAP'],
]

describe('errors', () => {
  test.each(made)('narrow by their code: %s', (error, expected) => {
    expect(describeError(error)).toBe(expected)
    expect(describeError(rewordError(error, 'in other words'))).toBe(expected)
  })

  test('need the data of their code', () => {
    // @ts-expect-error Its findings are missing.
    expect(isSpindleError(new SpindleError('ERR_APP_INVALID', 'a'))).toBe(false)
    // @ts-expect-error Its status is missing.
    expect(isSpindleError(new SpindleError('ERR_RESPONSE', 'a'))).toBe(false)
    // @ts-expect-error No answer of a server makes it.
    expect(new ResponseError('ERR_TRAP', 'a', answer).status).toBe(500)
  })

  test('of another copy of the library are recognized', () => {
    class Other extends Error {
      readonly code: ErrorCode = 'ERR_POLICY_REJECTED'
      readonly reason = 'NO_SIGNATURES'
      readonly rejected = []
    }
    const other = Object.assign(new Other('a'), { [Symbol.for('spindle.SpindleError')]: true })
    expect(describeError(other)).toBe('NO_SIGNATURES 0')
    expect(isSpindleError(Object.assign(new Error('a'), { code: 'ERR_TRAP' }))).toBe(false)
  })

  test.each([
    ['null', null],
    ['a string', 'ERR_TRAP'],
    ['an error of Node', Object.assign(new Error('a'), { code: 'ERR_INVALID_URL' })],
    ['a prototype', Object.create(SpindleError.prototype)],
    [
      'an object that throws',
      new Proxy(new SpindleError('ERR_TRAP', 'a'), {
        get() {
          throw new Error('hostile')
        },
        getPrototypeOf() {
          throw new Error('hostile')
        },
      }),
    ],
  ])('are not %s', (_name, value) => {
    expect(isSpindleError(value)).toBe(false)
  })
})

describe('error.side', () => {
  const files = {
    'spin.toml': `spin_manifest_version = 2
[application]
name = "hello"
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = "hello.wasm"
`,
    'hello.wasm': new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]),
  }
  const sideOf = async (call: Promise<unknown>): Promise<string | undefined> => {
    try {
      await call
    } catch (error) {
      return isSpindleError(error) ? `${error.side} ${error.code}` : String(error)
    }
    return 'none'
  }
  const failing = (store: Store, method: 'fetch' | 'push' | 'has' | 'resolve'): Store => ({
    ...store,
    [method]: async () => {
      throw new SpindleError('ERR_TIMEOUT', 'too late')
    },
  })

  test('is the source of a copy that cannot be read', async () => {
    const [from, to] = [createMemoryStore(), createMemoryStore()]
    expect(await sideOf(copy({ store: from, ref: '1' }, { store: to, ref: '1' }))).toBe(
      'source ERR_NOT_FOUND',
    )
    await push(await loadApp(files), { store: from, ref: '1' })
    const source = { store: failing(from, 'fetch'), ref: '1' }
    expect(await sideOf(copy(source, { store: to, ref: '1' }))).toBe('source ERR_TIMEOUT')
  })

  test('is the target of a copy that cannot be written', async () => {
    const from = createMemoryStore()
    await push(await loadApp(files), { store: from, ref: '1' })
    const target = (method: 'push' | 'has'): { store: Store; ref: string } => ({
      // A registry: it may know which blobs are there.
      store: Object.assign(failing(createMemoryStore(), method), {
        knownBlobs: async () => new Set<Descriptor['digest']>(),
      }),
      ref: '1',
    })
    for (const method of ['push', 'has'] as const)
      expect(await sideOf(copy({ store: from, ref: '1' }, target(method)))).toBe(
        'target ERR_TIMEOUT',
      )
    expect(await sideOf(push(await loadApp(files), target('push')))).toBe('target ERR_TIMEOUT')
  })
})
